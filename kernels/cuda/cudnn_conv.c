/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cudnn_priv.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
find_functions (AkCudnn *c)
{
  const struct
  {
    const char *name;
    void *to;
  } functions[] = {
    { "cudnnCreate", &c->create },
    { "cudnnDestroy", &c->destroy },
    { "cudnnSetStream", &c->set_stream },
    { "cudnnGetVersion", &c->version },
    { "cudnnGetErrorString", &c->error_string },
    { "cudnnBackendCreateDescriptor", &c->make },
    { "cudnnBackendDestroyDescriptor", &c->unmake },
    { "cudnnBackendSetAttribute", &c->set },
    { "cudnnBackendGetAttribute", &c->get },
    { "cudnnBackendFinalize", &c->finalize },
    { "cudnnBackendExecute", &c->execute },
  };

  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    void *found = dlsym (c->library, functions[i].name);

    if (!found)
      return 0;
    *(void **) functions[i].to = found;
  }
  return 1;
}

static cudnnStatus_t
describe_card (AkCudnn *c, const char *properties)
{
  cudnnStatus_t status = CUDNN_STATUS_SUCCESS;

  if (!properties)
    status = c->create (&c->handle);
  if (status == CUDNN_STATUS_SUCCESS)
    status = c->make (CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &c->card);
  if (status != CUDNN_STATUS_SUCCESS)
    return status;
  if (properties)
    status = c->set (c->card, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
        (int64_t) strlen (properties), properties);
  else
    status = c->set (c->card, CUDNN_ATTR_DEVICEPROP_HANDLE, CUDNN_TYPE_HANDLE, 1, &c->handle);
  return status == CUDNN_STATUS_SUCCESS ? c->finalize (c->card) : status;
}

AkCudnn *
ak_cudnn_open (const char *properties, char *problem, size_t size)
{
  AkCudnn *c = calloc (1, sizeof *c);
  cudnnStatus_t status;

  if (!c) {
    snprintf (problem, size, "there is no memory for cuDNN");
    return NULL;
  }
  pthread_mutex_init (&c->lock, NULL);
  c->library = dlopen ("libcudnn.so.9", RTLD_NOW | RTLD_LOCAL);
  if (!c->library) {
    snprintf (problem, size, "cuDNN cannot be opened: %s", dlerror ());
  } else if (!find_functions (c) || c->version () < 90800) {
    snprintf (problem, size, "libcudnn.so.9 is older than 9.8");
  } else {
    status = describe_card (c, properties);
    if (status == CUDNN_STATUS_SUCCESS)
      return c;
    snprintf (problem, size, "cuDNN does not start: %s", c->error_string (status));
  }
  ak_cudnn_close (c);
  return NULL;
}

/* Does what became of `p` tell what becomes of `g`? A failure only if `g` is no better aligned. */
static int
tells (const AkCudnnPlan *p, const AkConvGraph *g)
{
  return ak_cuda_conv2d_same (&p->graph, g) && (p->plan || ak_cuda_conv2d_same (g, &p->graph));
}

const AkCudnnPlan *
ak_cudnn_plan (AkCudnn *c, const AkConvGraph *g)
{
  AkCudnnPlan *p;

  pthread_mutex_lock (&c->lock);
  for (p = c->plans; p && !tells (p, g);)
    p = p->next;
  if (!p && (p = calloc (1, sizeof *p))) {
    *p = (AkCudnnPlan){ .cudnn = c, .next = c->plans, .graph = *g };
    c->plans = p;
    ak_cudnn_plan_make (p);
  }
  pthread_mutex_unlock (&c->lock);
  return p && p->plan ? p : NULL;
}

size_t
ak_cudnn_workspace (const AkCudnnPlan *p)
{
  return (size_t) p->workspace;
}

void
ak_cudnn_close (AkCudnn *c)
{
  AkCudnnPlan *next;

  if (!c)
    return;
  for (AkCudnnPlan *p = c->plans; p; p = next) {
    next = p->next;
    ak_cudnn_plan_clear (p);
    free (p);
  }
  if (c->card)
    (void) c->unmake (c->card);
  if (c->handle)
    (void) c->destroy (c->handle);
  pthread_mutex_destroy (&c->lock);
  free (c); /* the library stays: it has threads and memory of its own */
}

int
ak_cudnn_run (AkCudnn *c, const AkCudnnPlan *p, const AkConvGraph *g, const void *x, float *y,
    void *workspace, AkStream stream)
{
  int64_t uids[3 + AK_CONV_STEPS] = { AK_UID_X, AK_UID_W, AK_UID_Y }, n = 3;
  const void *data[3 + AK_CONV_STEPS] = { g->x_data ? g->x_data : x, g->w_data,
    g->y_data ? g->y_data : y };
  AkCudnnDescriptor pack = NULL;
  int good;

  for (size_t i = 0; i < g->steps; i++)
    if (g->step[i].data) {
      uids[n] = AK_UID_STEP + 2 * (int64_t) i;
      data[n++] = g->step[i].data;
    }
  pthread_mutex_lock (&c->lock);
  good = c->set_stream (c->handle, stream) == CUDNN_STATUS_SUCCESS &&
         c->make (CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &pack) == CUDNN_STATUS_SUCCESS &&
         c->set (pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, n, data) ==
             CUDNN_STATUS_SUCCESS &&
         c->set (pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, n, uids) ==
             CUDNN_STATUS_SUCCESS &&
         c->set (pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace) ==
             CUDNN_STATUS_SUCCESS &&
         c->finalize (pack) == CUDNN_STATUS_SUCCESS &&
         c->execute (c->handle, p->plan, pack) == CUDNN_STATUS_SUCCESS;
  pthread_mutex_unlock (&c->lock);
  if (pack)
    (void) c->unmake (pack);
  return good;
}
