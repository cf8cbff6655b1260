/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The CUDA runtime. It is linked statically and opens libcuda.so.1 itself, at the first call. */
#include "runtime.h"

#include <cuda_runtime_api.h>
#include <stdio.h>

static AkStatus
to_status (cudaError_t error)
{
  if (error == cudaSuccess)
    return AK_OK;
  return error == cudaErrorMemoryAllocation ? AK_ERR_MEMORY : AK_ERR_DEVICE;
}

static AkStatus
no_card (cudaError_t error, char *problem, size_t size)
{
  int driver = 0;

  (void) cudaDriverGetVersion (&driver);
  if (driver == 0)
    snprintf (problem, size, "there is no NVIDIA driver that works (libcuda.so.1)");
  else if (error == cudaErrorInsufficientDriver)
    snprintf (problem, size, "the NVIDIA driver is too old: it knows CUDA %d.%d, %d.%d is needed",
        driver / 1000, driver % 1000 / 10, CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10);
  else if (error == cudaErrorNoDevice)
    snprintf (problem, size, "there is no NVIDIA card");
  else
    snprintf (problem, size, "the NVIDIA driver says: %s", cudaGetErrorString (error));
  return AK_ERR_DEVICE;
}

AkStatus
ak_rt_open (int index, char *problem, size_t size)
{
  int n = 0, major = 0, minor = 0;
  cudaError_t error = cudaGetDeviceCount (&n);

  if (error != cudaSuccess)
    return no_card (error, problem, size);
  if (index < 0 || index >= n) {
    snprintf (problem, size, "there is no card %d, only %d", index, n);
    return AK_ERR_DEVICE;
  }
  (void) cudaDeviceGetAttribute (&major, cudaDevAttrComputeCapabilityMajor, index);
  (void) cudaDeviceGetAttribute (&minor, cudaDevAttrComputeCapabilityMinor, index);
  if (major < 8) {
    snprintf (
        problem, size, "card %d has compute capability %d.%d, 8.0 is needed", index, major, minor);
    return AK_ERR_DEVICE;
  }
  error = cudaSetDevice (index);
  if (error == cudaSuccess)
    error = cudaFree (NULL); /* makes the context */
  return error == cudaSuccess ? AK_OK : no_card (error, problem, size);
}

void
ak_rt_use (int index)
{
  (void) cudaSetDevice (index);
}

/* The runtime works in the primary context of a card, but has no call that names it. */
void *
ak_rt_context (void)
{
  int (*get_current) (void **context) = NULL; /* the driver's; 0 is success */
  enum cudaDriverEntryPointQueryResult found;
  void *context = NULL;

  if (cudaGetDriverEntryPointByVersion ("cuCtxGetCurrent", (void **) &get_current, CUDART_VERSION,
          cudaEnableDefault, &found) != cudaSuccess)
    (void) cudaGetLastError ();
  else if (found == cudaDriverEntryPointSuccess && get_current (&context) != 0)
    context = NULL;
  return context;
}

void *
ak_rt_alloc (size_t bytes)
{
  void *ptr = NULL;

  if (cudaMalloc (&ptr, bytes) == cudaSuccess)
    return ptr;
  (void) cudaGetLastError ();
  return NULL;
}

void
ak_rt_free (void *ptr)
{
  if (ptr)
    (void) cudaFree (ptr);
}

void *
ak_rt_pin (size_t bytes)
{
  void *ptr = NULL;

  if (cudaMallocHost (&ptr, bytes) == cudaSuccess)
    return ptr;
  (void) cudaGetLastError ();
  return NULL;
}

void
ak_rt_unpin (void *ptr)
{
  if (ptr)
    (void) cudaFreeHost (ptr);
}

AkStream
ak_rt_stream_new (void)
{
  cudaStream_t stream = NULL;

  if (cudaStreamCreateWithFlags (&stream, cudaStreamNonBlocking) == cudaSuccess)
    return stream;
  (void) cudaGetLastError ();
  return NULL;
}

void
ak_rt_stream_free (AkStream stream)
{
  if (stream)
    (void) cudaStreamDestroy (stream);
}

AkStatus
ak_rt_stream_sync (AkStream stream)
{
  return to_status (cudaStreamSynchronize (stream));
}

AkStatus
ak_rt_zero (AkStream stream, void *ptr, size_t bytes)
{
  return to_status (cudaMemsetAsync (ptr, 0, bytes, stream));
}

AkStatus
ak_rt_upload (AkStream stream, void *dst, const void *src, size_t bytes)
{
  return to_status (cudaMemcpyAsync (dst, src, bytes, cudaMemcpyHostToDevice, stream));
}

AkStatus
ak_rt_download (AkStream stream, void *dst, const void *src, size_t bytes)
{
  return to_status (cudaMemcpyAsync (dst, src, bytes, cudaMemcpyDeviceToHost, stream));
}

AkStatus
ak_rt_download_rows (
    AkStream stream, void *dst, size_t stride, const void *src, size_t bytes, size_t rows)
{
  return to_status (
      cudaMemcpy2DAsync (dst, stride, src, bytes, bytes, rows, cudaMemcpyDeviceToHost, stream));
}

void
ak_rt_launching (void)
{
}

AkStatus
ak_rt_launched (void)
{
  return to_status (cudaGetLastError ());
}

int
ak_rt_capture (AkStream stream)
{
  if (cudaStreamBeginCapture (stream, cudaStreamCaptureModeThreadLocal) == cudaSuccess)
    return 1;
  (void) cudaGetLastError ();
  return 0;
}

AkGraph
ak_rt_capture_end (AkStream stream, AkStatus *status)
{
  cudaGraph_t graph = NULL;
  cudaGraphExec_t exec = NULL;
  cudaError_t error = cudaStreamEndCapture (stream, &graph);

  if (error == cudaSuccess && *status == AK_OK)
    error = cudaGraphInstantiate (&exec, graph, 0);
  if (error == cudaSuccess && exec)
    error = cudaGraphUpload (exec, stream);
  if (graph)
    (void) cudaGraphDestroy (graph);
  if (*status == AK_OK)
    *status = to_status (error);
  if (*status == AK_OK)
    return exec;
  if (exec)
    (void) cudaGraphExecDestroy (exec);
  (void) cudaGetLastError (); /* the next launch is not to blame */
  return NULL;
}

AkStatus
ak_rt_graph_launch (AkGraph graph, AkStream stream)
{
  return to_status (cudaGraphLaunch (graph, stream));
}

void
ak_rt_graph_free (AkGraph graph)
{
  if (graph)
    (void) cudaGraphExecDestroy (graph);
}
