/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The CUDA device: opening, memory and queues. */
#include "open.h"
#include "gemm_choice.h"
#include "runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue.h"

#define PIECE ((size_t) 1 << 24) /* of what does not fit the pinned memory */

static void *
cuda_alloc (AkDevice *dev, size_t bytes)
{
  AkCuda *cuda = (AkCuda *) dev;
  void *ptr;

  ak_rt_use (cuda->index);
  ptr = ak_rt_alloc (bytes ? bytes : 64);
  if (ptr && (ak_rt_zero (cuda->stream, ptr, bytes) != AK_OK ||
                 ak_rt_stream_sync (cuda->stream) != AK_OK)) {
    ak_rt_free (ptr);
    return NULL;
  }
  return ptr;
}

static void
cuda_free (AkDevice *dev, void *ptr)
{
  ak_rt_use (((AkCuda *) dev)->index);
  ak_rt_free (ptr);
}

static void *
cuda_pin (AkDevice *dev, size_t bytes)
{
  ak_rt_use (((AkCuda *) dev)->index);
  return ak_rt_pin (bytes);
}

static void
cuda_unpin (AkDevice *dev, void *ptr)
{
  ak_rt_use (((AkCuda *) dev)->index);
  ak_rt_unpin (ptr);
}

AkStatus
ak_cuda_put (AkCuda *cuda, void *dst, const void *src, size_t bytes)
{
  AkStatus status;

  ak_rt_use (cuda->index);
  status = ak_rt_upload (cuda->stream, dst, src, bytes);
  return status == AK_OK ? ak_rt_stream_sync (cuda->stream) : status;
}

AkStatus
ak_cuda_get (AkCuda *cuda, void *dst, const void *src, size_t bytes)
{
  AkStatus status;

  ak_rt_use (cuda->index);
  status = ak_rt_download (cuda->stream, dst, src, bytes);
  return status == AK_OK ? ak_rt_stream_sync (cuda->stream) : status;
}

void *
ak_cuda_copy (AkDevice *dev, const void *values, size_t bytes, AkStatus *status)
{
  void *memory = *status == AK_OK ? cuda_alloc (dev, bytes) : NULL;

  if (memory)
    *status = ak_cuda_put ((AkCuda *) dev, memory, values, bytes);
  else if (*status == AK_OK)
    *status = AK_ERR_MEMORY;
  return memory;
}

static AkQueue *
cuda_queue_new (AkDevice *dev)
{
  AkCudaQueue *queue = calloc (1, sizeof *queue);

  if (!queue)
    return NULL;
  queue->base.dev = dev;
  ak_rt_use (((AkCuda *) dev)->index);
  queue->stream = ak_rt_stream_new ();
  if (!queue->stream) {
    free (queue);
    return NULL;
  }
  return &queue->base;
}

/* What was downloaded into pinned memory goes where it was wanted; the stream is there. */
static void
finish_downloads (AkCudaQueue *queue)
{
  for (size_t i = 0; i < queue->n_downloads; i++)
    memcpy (
        queue->downloads[i].dst, queue->pinned + queue->downloads[i].at, queue->downloads[i].bytes);
  queue->n_downloads = queue->used = 0;
}

static void
cuda_queue_free (AkQueue *base)
{
  AkCudaQueue *queue = (AkCudaQueue *) base;

  ak_rt_use (((AkCuda *) base->dev)->index);
  (void) ak_rt_stream_sync (queue->stream);
  ak_cuda_queue_forget (queue);
  ak_rt_stream_free (queue->stream);
  ak_rt_unpin (queue->pinned);
  free (queue->downloads);
  free (queue);
}

/* `bytes` of pinned memory that nothing in the queue uses, or NULL. */
static char *
reserve (AkCudaQueue *queue, size_t bytes, AkStatus *status)
{
  size_t rounded = (bytes + 63) / 64 * 64;
  char *at;

  if (rounded > queue->size - queue->used) {
    *status = ak_rt_stream_sync (queue->stream);
    if (*status != AK_OK)
      return NULL;
    finish_downloads (queue);
  }
  if (rounded > queue->size) {
    size_t size = (size_t) 1 << 16;

    while (size < rounded)
      size *= 2;
    ak_rt_unpin (queue->pinned);
    queue->pinned = ak_rt_pin (size);
    queue->size = queue->pinned ? size : 0;
    if (!queue->pinned) {
      *status = AK_ERR_MEMORY;
      return NULL;
    }
  }
  at = queue->pinned + queue->used;
  queue->used += rounded;
  return at;
}

static AkStatus
cuda_upload (AkQueue *base, void *dst, const void *src, size_t bytes)
{
  AkCudaQueue *queue = (AkCudaQueue *) base;
  AkStatus status = AK_OK;

  ak_rt_use (((AkCuda *) base->dev)->index);
  for (size_t at = 0; at < bytes && status == AK_OK; at += PIECE) {
    size_t n = bytes - at < PIECE ? bytes - at : PIECE;
    char *pinned = reserve (queue, n, &status);

    if (pinned) {
      memcpy (pinned, (const char *) src + at, n);
      status = ak_rt_upload (queue->stream, (char *) dst + at, pinned, n);
    }
  }
  return status;
}

static AkStatus
cuda_download (AkQueue *base, void *dst, const void *src, size_t bytes)
{
  AkCudaQueue *queue = (AkCudaQueue *) base;
  AkStatus status = AK_OK;

  ak_rt_use (((AkCuda *) base->dev)->index);
  for (size_t at = 0; at < bytes && status == AK_OK; at += PIECE) {
    size_t n = bytes - at < PIECE ? bytes - at : PIECE;
    char *pinned = reserve (queue, n, &status);

    if (!pinned)
      break;
    if (queue->n_downloads == queue->room) {
      size_t room = queue->room ? 2 * queue->room : 16;
      AkDownload *grown = realloc (queue->downloads, room * sizeof *grown);

      if (!grown)
        return AK_ERR_MEMORY;
      queue->downloads = grown;
      queue->room = room;
    }
    status = ak_rt_download (queue->stream, pinned, (const char *) src + at, n);
    if (status == AK_OK)
      queue->downloads[queue->n_downloads++] =
          (AkDownload){ (char *) dst + at, (size_t) (pinned - queue->pinned), n };
  }
  return status;
}

static AkStatus
cuda_queue_sync (AkQueue *base)
{
  AkCudaQueue *queue = (AkCudaQueue *) base;
  AkStatus status;

  ak_rt_use (((AkCuda *) base->dev)->index);
  status = ak_rt_stream_sync (queue->stream);
  if (base->status != AK_OK)
    status = base->status;
  base->status = AK_OK;
  finish_downloads (queue);
  ak_cuda_queue_after (queue, status);
  return status;
}

static void *
cuda_context (const AkDevice *dev, int *card)
{
  *card = ((const AkCuda *) dev)->index;
  ak_rt_use (*card);
  return ak_rt_context ();
}

static void
cuda_close (AkDevice *dev)
{
  AkCuda *cuda = (AkCuda *) dev;

  ak_rt_use (cuda->index);
  ak_library_close (cuda->library);
  ak_rt_stream_free (cuda->stream);
  free (cuda);
}

AkDevice *
artalk_cuda_open (const char *version, size_t table_size, int index, AkStatus *status,
    char *problem, size_t problem_size)
{
  AkCuda *cuda;

  if (strcmp (version, ARTALK_VERSION) != 0 || table_size != sizeof (AkOps)) {
    snprintf (problem, problem_size, "the module is of another build (%s)", ARTALK_VERSION);
    *status = AK_ERR_DEVICE;
    return NULL;
  }
  *status = ak_rt_open (index, problem, problem_size);
  if (*status != AK_OK)
    return NULL;
  *status = AK_ERR_MEMORY;
  cuda = calloc (1, sizeof *cuda);
  if (!cuda)
    return NULL;
  cuda->base.close = cuda_close;
  cuda->index = index;
  ak_rt_use (index);
  cuda->stream = ak_rt_stream_new ();
  if (!cuda->stream) {
    snprintf (problem, problem_size, "a stream cannot be made");
    free (cuda);
    return NULL;
  }
  *status = AK_ERR_DEVICE;
  if (!ak_cuda_conv2d_by (getenv ("ARTALK_CONV2D"), &cuda->conv2d))
    snprintf (problem, problem_size, "ARTALK_CONV2D is \"%s\": auto, own or cudnn are known",
        getenv ("ARTALK_CONV2D"));
  else if (!ak_gemm_by (getenv ("ARTALK_PRODUCTS"), &cuda->measured))
    snprintf (problem, problem_size, "ARTALK_PRODUCTS is \"%s\": measured or expected are known",
        getenv ("ARTALK_PRODUCTS"));
  else
    cuda->library = ak_library_open (cuda->conv2d, problem, problem_size);
  if (!cuda->library) {
    ak_rt_stream_free (cuda->stream);
    free (cuda);
    return NULL;
  }
  cuda->base.ops = (AkOps){
    .alloc = cuda_alloc,
    .free = cuda_free,
    .queue_new = cuda_queue_new,
    .queue_free = cuda_queue_free,
    .upload = cuda_upload,
    .download = cuda_download,
    .queue_sync = cuda_queue_sync,
    .pin = cuda_pin,
    .unpin = cuda_unpin,
    .context = cuda_context,
  };
  ak_cuda_table (&cuda->base.ops);
  *status = AK_OK;
  return &cuda->base;
}
