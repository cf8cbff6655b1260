/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The processor in place of a card: a stream does everything at once, and there are no graphs. */
#include "../runtime.h"
#include "driver.h"
#include "memory.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

AkStatus
ak_rt_open (int index, char *problem, size_t size)
{
  if (index == 0)
    return AK_OK;
  snprintf (problem, size, "there is no card %d, only 1", index);
  return AK_ERR_DEVICE;
}

void
ak_rt_use (int index)
{
  (void) index;
}

/* Only where the driver is the one that belongs to this device: a card's cannot reach the device's memory. */
void *
ak_rt_context (void)
{
  static const AkHostMemory memory = { ak_host_memory_new, ak_host_memory_free, ak_host_memory_open,
    ak_host_memory_close };
  void *driver = dlopen ("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  AkHostContext *context = NULL;

  if (driver)
    *(void **) &context = dlsym (driver, AK_HOST_CONTEXT);
  return context ? context (&memory) : NULL;
}

void *
ak_rt_alloc (size_t bytes)
{
  return ak_host_memory_new (bytes);
}

void
ak_rt_free (void *ptr)
{
  ak_host_memory_free (ptr);
}

void *
ak_rt_pin (size_t bytes)
{
  return malloc (bytes);
}

void
ak_rt_unpin (void *ptr)
{
  free (ptr);
}

AkStream
ak_rt_stream_new (void)
{
  return malloc (1);
}

void
ak_rt_stream_free (AkStream stream)
{
  free (stream);
}

AkStatus
ak_rt_stream_sync (AkStream stream)
{
  (void) stream;
  return AK_OK;
}

AkStatus
ak_rt_zero (AkStream stream, void *ptr, size_t bytes)
{
  (void) stream;
  ak_host_memory_open ();
  memset (ptr, 0, bytes);
  ak_host_memory_close ();
  return AK_OK;
}

AkStatus
ak_rt_upload (AkStream stream, void *dst, const void *src, size_t bytes)
{
  (void) stream;
  ak_host_memory_open ();
  memcpy (dst, src, bytes);
  ak_host_memory_close ();
  return AK_OK;
}

AkStatus
ak_rt_download (AkStream stream, void *dst, const void *src, size_t bytes)
{
  return ak_rt_upload (stream, dst, src, bytes);
}

AkStatus
ak_rt_download_rows (
    AkStream stream, void *dst, size_t stride, const void *src, size_t bytes, size_t rows)
{
  for (size_t y = 0; y < rows; y++)
    (void) ak_rt_download (
        stream, (char *) dst + y * stride, (const char *) src + y * bytes, bytes);
  return AK_OK;
}

void
ak_rt_launching (void)
{
  ak_host_memory_open ();
}

AkStatus
ak_rt_launched (void)
{
  ak_host_memory_close ();
  return AK_OK; /* a launch cannot fail here: it ends the program where it would be wrong */
}

int
ak_rt_capture (AkStream stream)
{
  (void) stream;
  return 0;
}

AkGraph
ak_rt_capture_end (AkStream stream, AkStatus *status)
{
  (void) stream;
  *status = AK_ERR_DEVICE;
  return NULL;
}

AkStatus
ak_rt_graph_launch (AkGraph graph, AkStream stream)
{
  (void) graph;
  (void) stream;
  return AK_ERR_DEVICE;
}

void
ak_rt_graph_free (AkGraph graph)
{
  (void) graph;
}
