/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For cudnn_conv.c and cudnn_plan.c. */
#pragma once

#include "cudnn_conv.h"

#include <cudnn.h>
#include <pthread.h>

#if CUDNN_VERSION < 90800
#error "cuDNN 9.8 is needed"
#endif

typedef cudnnBackendDescriptor_t AkCudnnDescriptor;

struct AkCudnn
{
  void *library;
  pthread_mutex_t lock; /* a handle is for one thread at a time */
  cudnnHandle_t handle; /* NULL without a card */
  AkCudnnDescriptor card;
  AkCudnnPlan *plans; /* list, also of those that could not be made */
  cudnnStatus_t (*create) (cudnnHandle_t *handle);
  cudnnStatus_t (*destroy) (cudnnHandle_t handle);
  cudnnStatus_t (*set_stream) (cudnnHandle_t handle, cudaStream_t stream);
  size_t (*version) (void);
  const char *(*error_string) (cudnnStatus_t status);
  cudnnStatus_t (*make) (cudnnBackendDescriptorType_t type, AkCudnnDescriptor *descriptor);
  cudnnStatus_t (*unmake) (AkCudnnDescriptor descriptor);
  cudnnStatus_t (*set) (AkCudnnDescriptor descriptor, cudnnBackendAttributeName_t name,
      cudnnBackendAttributeType_t type, int64_t count, const void *values);
  cudnnStatus_t (*get) (AkCudnnDescriptor const descriptor, cudnnBackendAttributeName_t name,
      cudnnBackendAttributeType_t type, int64_t wanted, int64_t *count, void *values);
  cudnnStatus_t (*finalize) (AkCudnnDescriptor descriptor);
  cudnnStatus_t (*execute) (cudnnHandle_t handle, AkCudnnDescriptor plan, AkCudnnDescriptor pack);
};

/* Numbers of tensors: what a step reads is AK_UID_STEP + 2 · step, and what it gives one more. */
enum { AK_UID_X = 1, AK_UID_W, AK_UID_Y, AK_UID_SUM, AK_UID_STEP };

#define AK_CUDNN_PARTS 40 /* descriptors of a graph */

struct AkCudnnPlan
{
  AkCudnn *cudnn;
  AkCudnnPlan *next;
  AkConvGraph graph;
  AkCudnnDescriptor
      parts[AK_CUDNN_PARTS]; /* all that the plan is made of, in the order of making */
  unsigned n_parts;
  int bad; /* something could not be made */
  AkCudnnDescriptor plan;
  int64_t workspace;
};

/* Finds an engine for plan->graph under the library's lock; without one plan->plan stays NULL. */
void ak_cudnn_plan_make (AkCudnnPlan *plan);
void ak_cudnn_plan_clear (AkCudnnPlan *plan);
