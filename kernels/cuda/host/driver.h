/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The driver that stands in for libcuda.so.1 where the device is the processor (driver.c, a library of its own), as seen
 * from the device: GstCuda opens it by that name, if a test puts it into the linker's path. */
#pragma once

#include <stddef.h>

/* What the driver's memory is: that of the device, so that kernels reach it and the host does not. */
typedef struct
{
  void *(*alloc) (size_t bytes);
  void (*free) (void *ptr);
  void (*open) (void); /* in between it can be reached */
  void (*close) (void);
} AkHostMemory;

/* The context that the device works in. */
#define AK_HOST_CONTEXT "artalk_host_context"
typedef void *AkHostContext (const AkHostMemory *memory);
