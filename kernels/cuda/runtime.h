/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the device needs of a runtime: CUDA's (runtime.c), or the processor (host/runtime.c). For kernels/cuda only.
 *
 * Calls that name no device mean the calling thread's, which ak_rt_use() sets. */
#pragma once

#include "cuda.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Is card `index` there and usable? Otherwise one line in `problem` that says what is missing. */
AkStatus ak_rt_open (int index, char *problem, size_t problem_size);
void ak_rt_use (int index);

/* The CUcontext of the calling thread's card, or NULL. */
void *ak_rt_context (void);

/* NULL when out of memory. Device memory is not zeroed. */
void *ak_rt_alloc (size_t bytes);
void ak_rt_free (void *ptr);
void *ak_rt_pin (size_t bytes);
void ak_rt_unpin (void *ptr);

AkStream ak_rt_stream_new (void);
void ak_rt_stream_free (AkStream stream);
AkStatus ak_rt_stream_sync (AkStream stream);

/* Host memory that is pinned must stay until the stream is there; other memory may be copied at once. */
AkStatus ak_rt_zero (AkStream stream, void *ptr, size_t bytes);
AkStatus ak_rt_upload (AkStream stream, void *dst, const void *src, size_t bytes);
AkStatus ak_rt_download (AkStream stream, void *dst, const void *src, size_t bytes);
/* Rows of `bytes` without gaps to rows `stride` apart in pinned memory. */
AkStatus ak_rt_download_rows (
    AkStream stream, void *dst, size_t stride, const void *src, size_t bytes, size_t rows);

/* Nodes are run in between, where device memory can be reached if that is memory of the host. Gives the first error of
 * the launches. */
void ak_rt_launching (void);
AkStatus ak_rt_launched (void);

/* Whatever is launched on `stream` in between becomes a graph. Without graphs ak_rt_capture() gives 0 and the work is
 * launched again each time. */
int ak_rt_capture (AkStream stream);
AkGraph ak_rt_capture_end (AkStream stream, AkStatus *status);
AkStatus ak_rt_graph_launch (AkGraph graph, AkStream stream);
void ak_rt_graph_free (AkGraph graph);

#ifdef __cplusplus
}
#endif
