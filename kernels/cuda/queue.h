/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A queue: a stream, pinned memory that copies go through, and what is to be done on the host when it is there. For
 * device.c and plan.c. */
#pragma once

#include "cuda.h"

typedef struct AkCudaPlan AkCudaPlan;

typedef struct
{
  void *dst;
  size_t at, bytes; /* in the pinned memory */
} AkDownload;

typedef struct
{
  AkQueue base;
  AkStream stream;
  char *pinned;
  size_t size, used;
  AkDownload *downloads;
  size_t n_downloads, room;
  AkCudaPlan *plans; /* list of those that ran since the last sync and have host work left */
} AkCudaQueue;

/* Does the host work of the plans (if `status` is good), or only forgets them. */
void ak_cuda_queue_after (AkCudaQueue *queue, AkStatus status);
void ak_cuda_queue_forget (AkCudaQueue *queue);

/* kernels/cuda/table.c: all operations. */
void ak_cuda_table (AkOps *ops);
