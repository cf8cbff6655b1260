/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices, their memory and their queues: where tensors live and where plans run.
 *
 * A device pointer is an ordinary pointer that only kernels may follow: models add offsets to it and
 * hand it to operations, nothing else, so that the same model code runs on a CPU and on a GPU.
 * Every function may be called from any thread. */
#pragma once

#ifdef __cplusplus /* code for a GPU */
#include <atomic>
using std::atomic_int;
using std::atomic_uint;
#else
#include <stdatomic.h>
#endif
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
  AK_OK = 0,
  AK_ERR_ARG,    /* an argument that breaks the function's contract */
  AK_ERR_MEMORY, /* out of memory, on the host or on the device */
  AK_ERR_DEVICE, /* the device is not there, or its library failed */
  AK_CANCELLED,  /* the cancel flag was seen; device memory holds partial results */
} AkStatus;

/* One English phrase for `status`, e.g. "out of memory"; static, never NULL. */
const char *ak_status_text (AkStatus status);

typedef enum {
  AK_F32,
  AK_BF16,
} AkPrecision;

typedef struct AkDevice AkDevice;
typedef struct AkQueue AkQueue;

/* Opens `name`: "cpu" (oneDNN and SIMD as the processor allows), "cpu:plain" (the plain C
 * definitions of every operation, which the tests compare with) or "cpu:onednn" (every product and convolution
 * through oneDNN, also where own code is faster), "cuda" or "cuda:N" (an NVIDIA card, by the module that is opened
 * now; docs/devices.md), "cuda:host" (its code on the processor, for tests). `threads`: how many threads a
 * product may use, 0 for all the allowed cores, of no meaning for cards; devices of one name and number are one object.
 * Returns a reference to be given back with ak_device_unref(), or NULL with `*status` set. */
AkDevice *ak_device_open (const char *name, unsigned threads, AkStatus *status);

/* Why this thread's last ak_device_open() failed: one English phrase that says what is missing; never NULL. */
const char *ak_device_problem (void);

/* Where `file` lies that is opened at first use: in one of the folders of the environment's ARTALK_MODULE_DIR, which are
 * separated by colons, else where it was installed. 0 if it is not there; `path` is then where it was looked for last. */
int ak_module_path (const char *file, char *path, size_t size);

AkDevice *ak_device_ref (AkDevice *dev);
void ak_device_unref (AkDevice *dev);

/* For libraries that speak to the same card: the CUcontext that all of the device's memory belongs to, and in `*card` the
 * number of the card, as CUDA counts; it stays as long as the process. NULL for devices that are no cards. */
void *ak_device_context (const AkDevice *dev, int *card);

/* Name and thread count as opened ("cpu", 2); 0 threads where there are none to count. */
const char *ak_device_name (const AkDevice *dev);
unsigned ak_device_threads (const AkDevice *dev);

/* `bytes` of zeroed device memory aligned to 64 bytes, or NULL; freed by ak_free() (NULL is ignored). */
void *ak_alloc (AkDevice *dev, size_t bytes);
void ak_free (AkDevice *dev, void *ptr);

/* `bytes` of the host's memory that the device copies to by itself (page-locked, where there is such a thing), or NULL; freed
 * by ak_unpin() (NULL is ignored). */
void *ak_pin (AkDevice *dev, size_t bytes);
void ak_unpin (AkDevice *dev, void *ptr);

/* A queue runs what is put into it in order. One stream of media has one queue and uses it from one
 * thread at a time. The queue holds a reference to its device. NULL when out of memory. */
AkQueue *ak_queue_new (AkDevice *dev);
void ak_queue_free (AkQueue *queue);

/* Copies between host and device memory, in order with the queue's other work. `src` of an upload may
 * be reused at return; `dst` of a download is only filled after ak_queue_sync(). */
AkStatus ak_upload (AkQueue *queue, void *dst, const void *src, size_t bytes);
AkStatus ak_download (AkQueue *queue, void *dst, const void *src, size_t bytes);

/* Waits until everything in the queue is done and returns the first error since the last call. */
AkStatus ak_queue_sync (AkQueue *queue);

#ifdef __cplusplus
}
#endif
