/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one function of the modules. */
#pragma once

#include "../device_priv.h"

/* Opens card `index`: a device with everything but `refs`, `name` and `next`. `version` and the size of the table
 * must be those that the module was built with. NULL with `*status` and one line in `problem` that says what is
 * missing. */
typedef AkDevice *AkCudaOpen (const char *version, size_t table_size, int index, AkStatus *status,
    char *problem, size_t problem_size);

__attribute__ ((visibility ("default"))) AkCudaOpen artalk_cuda_open;
