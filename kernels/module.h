/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices that lie in modules of their own, opened at first use, so that a program needs no driver to start. For
 * kernels/ only. */
#pragma once

#include "device_priv.h"

/* Is `name` such a device: "cuda", "cuda:N" or "cuda:host"? */
int ak_module_has (const char *name);

/* Opens it: a device with everything but `refs`, `name` and `next`. NULL with `*status` and one line in `problem` that
 * says what is missing. The module is looked for by ak_module_path() and stays open. */
AkDevice *ak_module_open (const char *name, AkStatus *status, char *problem, size_t problem_size);
