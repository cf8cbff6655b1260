/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* As much of libcuda.so.1 as GstCuda opens, for a card that is the processor. It is strict where a card would be: work
 * needs a current context, memory is freed in the context that it was made in, and rows are further apart than they are
 * long. Whatever draws by itself (graphics, textures, kernels in PTX) is not supported. */
#include "driver.h"

#include <cuda.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define API __attribute__ ((visibility ("default"))) CUresult
#define PITCH 512 /* as cards have it */
#define DEPTH 16

struct CUctx_st
{
  int is_primary;
};

/* Memory of the device, by its first byte. */
typedef struct Block
{
  CUdeviceptr at;
  CUcontext context;
  struct Block *next;
} Block;

static AkHostMemory memory;
static struct CUctx_st primary = { 1 };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Block *blocks;
static _Thread_local CUcontext stack[DEPTH];
static _Thread_local int depth;

static CUcontext
current (void)
{
  return depth ? stack[depth - 1] : NULL;
}

__attribute__ ((visibility ("default"))) AkHostContext artalk_host_context;
void *
artalk_host_context (const AkHostMemory *m)
{
  memory = *m;
  return &primary;
}

/* The symbols of the driver are not those of its header, which renames what has changed. */
API
cuInit (unsigned flags)
{
  return memory.alloc ? CUDA_SUCCESS : CUDA_ERROR_NO_DEVICE;
}

API
cuDriverGetVersion (int *version)
{
  *version = CUDA_VERSION;
  return CUDA_SUCCESS;
}

API
cuGetErrorName (CUresult error, const char **text)
{
  *text = "CUDA_ERROR";
  return CUDA_SUCCESS;
}

API
cuGetErrorString (CUresult error, const char **text)
{
  *text = "an error of the processor in place of a card";
  return CUDA_SUCCESS;
}

API
cuDeviceGetCount (int *count)
{
  *count = 1;
  return CUDA_SUCCESS;
}

API
cuDeviceGet (CUdevice *device, int ordinal)
{
  *device = 0;
  return ordinal == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

API
cuDeviceGetName (char *name, int size, CUdevice device)
{
  strncpy (name, "processor", (size_t) size);
  return CUDA_SUCCESS;
}

API
cuDeviceGetAttribute (int *value, CUdevice_attribute attribute, CUdevice device)
{
  *value = attribute == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR ? 9
           : attribute == CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT      ? PITCH
                                                                     : 0;
  return CUDA_SUCCESS;
}

API
cuDeviceCanAccessPeer (int *can, CUdevice device, CUdevice peer)
{
  *can = 0;
  return CUDA_SUCCESS;
}

API cuCtxCreate_v2 (CUcontext *context, unsigned flags, CUdevice device); /* no longer declared */
API
cuCtxCreate_v2 (CUcontext *context, unsigned flags, CUdevice device)
{
  if (depth == DEPTH)
    return CUDA_ERROR_INVALID_VALUE;
  *context = calloc (1, sizeof **context);
  stack[depth++] = *context;
  return *context ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

API
cuCtxDestroy_v2 (CUcontext context)
{
  if (context->is_primary)
    return CUDA_ERROR_INVALID_CONTEXT;
  free (context);
  return CUDA_SUCCESS;
}

API
cuCtxPushCurrent_v2 (CUcontext context)
{
  if (depth == DEPTH || !context)
    return CUDA_ERROR_INVALID_CONTEXT;
  stack[depth++] = context;
  return CUDA_SUCCESS;
}

API
cuCtxPopCurrent_v2 (CUcontext *context)
{
  if (!depth)
    return CUDA_ERROR_INVALID_CONTEXT;
  depth--;
  if (context)
    *context = stack[depth];
  return CUDA_SUCCESS;
}

API
cuMemAlloc_v2 (CUdeviceptr *at, size_t bytes)
{
  Block *block = current () && memory.alloc ? malloc (sizeof *block) : NULL;
  void *there = block ? memory.alloc (bytes) : NULL;

  if (!there) {
    free (block);
    return current () ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_ERROR_INVALID_CONTEXT;
  }
  *at = (CUdeviceptr) (uintptr_t) there;
  pthread_mutex_lock (&lock);
  *block = (Block){ *at, current (), blocks };
  blocks = block;
  pthread_mutex_unlock (&lock);
  return CUDA_SUCCESS;
}

API
cuMemAllocPitch_v2 (CUdeviceptr *at, size_t *pitch, size_t width, size_t height, unsigned element)
{
  *pitch = (width / PITCH + 1) * PITCH; /* longer than the row, always */
  return cuMemAlloc_v2 (at, *pitch * height);
}

API
cuMemFree_v2 (CUdeviceptr at)
{
  CUresult result = CUDA_ERROR_INVALID_VALUE;

  pthread_mutex_lock (&lock);
  for (Block **b = &blocks; *b; b = &(*b)->next) {
    Block *block = *b;

    if (block->at != at)
      continue;
    result = block->context == current () ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
    if (result == CUDA_SUCCESS) {
      *b = block->next;
      memory.free ((void *) (uintptr_t) at);
      free (block);
    }
    break;
  }
  pthread_mutex_unlock (&lock);
  return result;
}

API
cuMemAllocHost_v2 (void **at, size_t bytes)
{
  *at = current () ? malloc (bytes) : NULL;
  return *at ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}

API
cuMemFreeHost (void *at)
{
  free (at);
  return CUDA_SUCCESS;
}

API
cuMemcpy2D_v2 (const CUDA_MEMCPY2D *c)
{
  const char *from =
      c->srcMemoryType == CU_MEMORYTYPE_HOST ? c->srcHost : (void *) (uintptr_t) c->srcDevice;
  char *to =
      c->dstMemoryType == CU_MEMORYTYPE_HOST ? c->dstHost : (void *) (uintptr_t) c->dstDevice;

  if (!current ())
    return CUDA_ERROR_INVALID_CONTEXT;
  memory.open ();
  for (size_t y = 0; y < c->Height; y++)
    memcpy (to + (c->dstY + y) * c->dstPitch + c->dstXInBytes,
        from + (c->srcY + y) * c->srcPitch + c->srcXInBytes, c->WidthInBytes);
  memory.close ();
  return CUDA_SUCCESS;
}

API
cuMemcpy2DAsync_v2 (const CUDA_MEMCPY2D *copy, CUstream stream)
{
  return cuMemcpy2D_v2 (copy);
}

API
cuStreamCreate (CUstream *stream, unsigned flags)
{
  *stream = NULL;
  return current () ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}

/* What only has to be there, under names that the header declares otherwise. */
#define ONLY_THERE(name, result)                                                                   \
  API stand_in_##name (void) __asm__(#name);                                                       \
  API stand_in_##name (void)                                                                       \
  {                                                                                                \
    return result;                                                                                 \
  }
ONLY_THERE (cuStreamDestroy, CUDA_SUCCESS)
ONLY_THERE (cuStreamSynchronize, CUDA_SUCCESS)
ONLY_THERE (cuCtxEnablePeerAccess, CUDA_ERROR_NOT_SUPPORTED)
ONLY_THERE (cuCtxDisablePeerAccess, CUDA_ERROR_NOT_SUPPORTED)
ONLY_THERE (cuGraphicsMapResources, CUDA_ERROR_NOT_SUPPORTED)
ONLY_THERE (cuGraphicsUnmapResources, CUDA_ERROR_NOT_SUPPORTED)
ONLY_THERE (cuGraphicsUnregisterResource, CUDA_ERROR_NOT_SUPPORTED)
ONLY_THERE (cuGraphicsResourceSetMapFlags_v2, CUDA_ERROR_NOT_SUPPORTED)
ONLY_THERE (cuGraphicsSubResourceGetMappedArray, CUDA_ERROR_NOT_SUPPORTED)
ONLY_THERE (cuGraphicsResourceGetMappedPointer_v2, CUDA_ERROR_NOT_SUPPORTED)
ONLY_THERE (cuGraphicsGLRegisterImage, CUDA_ERROR_NOT_SUPPORTED)
ONLY_THERE (cuGraphicsGLRegisterBuffer, CUDA_ERROR_NOT_SUPPORTED)
ONLY_THERE (cuGLGetDevices_v2, CUDA_ERROR_NOT_SUPPORTED)
ONLY_THERE (cuModuleLoadData, CUDA_ERROR_NOT_SUPPORTED)
ONLY_THERE (cuModuleUnload, CUDA_ERROR_NOT_SUPPORTED)
ONLY_THERE (cuModuleGetFunction, CUDA_ERROR_NOT_SUPPORTED)
ONLY_THERE (cuTexObjectCreate, CUDA_ERROR_NOT_SUPPORTED)
ONLY_THERE (cuTexObjectDestroy, CUDA_ERROR_NOT_SUPPORTED)
ONLY_THERE (cuLaunchKernel, CUDA_ERROR_NOT_SUPPORTED)
