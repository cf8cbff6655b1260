/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory of the device that stands in for a card. As on a card the host cannot reach it: who follows a pointer to it
 * outside kernels and copies gets SIGSEGV. */
#pragma once

#include <stddef.h>

/* Filled with 0xff; NULL when out of memory. */
void *ak_host_memory_new (size_t bytes);
void ak_host_memory_free (void *ptr);

/* In between, which may be nested and in several threads, the memory can be reached. */
void ak_host_memory_open (void);
void ak_host_memory_close (void);
