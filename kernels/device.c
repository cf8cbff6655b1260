/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening devices, and the doors of memory, queues and plans. */
#include "device_priv.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;
static AkDevice *open_devices;

const char *
ak_status_text (AkStatus status)
{
  switch (status) {
    case AK_OK:
      return "no error";
    case AK_ERR_ARG:
      return "an argument is out of range";
    case AK_ERR_MEMORY:
      return "out of memory";
    case AK_ERR_DEVICE:
      return "the device or its library failed";
    case AK_CANCELLED:
      return "cancelled";
  }
  return "unknown status";
}

AkDevice *
ak_device_open (const char *name, unsigned threads, AkStatus *status)
{
  AkDevice *dev;
  AkStatus ignored;
  const char *variant = "";

  if (!status)
    status = &ignored;
  if (!name) {
    *status = AK_ERR_ARG;
    return NULL;
  }
  if (strcmp (name, "cpu:plain") == 0 || strcmp (name, "cpu:onednn") == 0) {
    variant = name + 4;
  } else if (strcmp (name, "cpu") != 0) {
    *status = AK_ERR_DEVICE;
    return NULL;
  }

  *status = AK_OK;
  pthread_mutex_lock (&open_lock);
  for (dev = open_devices; dev; dev = dev->next)
    if (strcmp (dev->name, name) == 0 && (threads == 0 || dev->threads == threads))
      break;
  if (dev) {
    atomic_fetch_add (&dev->refs, 1);
  } else {
    dev = ak_cpu_open (variant, threads, status);
    if (dev) {
      atomic_init (&dev->refs, 1);
      strcpy (dev->name, name);
      dev->next = open_devices;
      open_devices = dev;
    }
  }
  pthread_mutex_unlock (&open_lock);
  return dev;
}

AkDevice *
ak_device_ref (AkDevice *dev)
{
  atomic_fetch_add (&dev->refs, 1);
  return dev;
}

void
ak_device_unref (AkDevice *dev)
{
  AkDevice **at;

  if (!dev)
    return;
  pthread_mutex_lock (&open_lock); /* so that nobody finds it in the list while it goes */
  if (atomic_fetch_sub (&dev->refs, 1) != 1) {
    pthread_mutex_unlock (&open_lock);
    return;
  }
  for (at = &open_devices; *at != dev;)
    at = &(*at)->next;
  *at = dev->next;
  pthread_mutex_unlock (&open_lock);
  dev->close (dev);
}

const char *
ak_device_name (const AkDevice *dev)
{
  return dev->name;
}

unsigned
ak_device_threads (const AkDevice *dev)
{
  return dev->threads;
}

void *
ak_alloc (AkDevice *dev, size_t bytes)
{
  return dev->ops.alloc (dev, bytes);
}

void
ak_free (AkDevice *dev, void *ptr)
{
  if (ptr)
    dev->ops.free (dev, ptr);
}

AkQueue *
ak_queue_new (AkDevice *dev)
{
  return dev->ops.queue_new (dev);
}

void
ak_queue_free (AkQueue *queue)
{
  if (queue)
    queue->dev->ops.queue_free (queue);
}

AkStatus
ak_upload (AkQueue *queue, void *dst, const void *src, size_t bytes)
{
  return queue->dev->ops.upload (queue, dst, src, bytes);
}

AkStatus
ak_download (AkQueue *queue, void *dst, const void *src, size_t bytes)
{
  return queue->dev->ops.download (queue, dst, src, bytes);
}

AkStatus
ak_queue_sync (AkQueue *queue)
{
  return queue->dev->ops.queue_sync (queue);
}

AkPlan *
ak_plan_new (AkDevice *dev)
{
  return dev->ops.plan_new (dev);
}

void
ak_plan_free (AkPlan *plan)
{
  AkDevice *dev;

  if (!plan)
    return;
  dev = plan->dev;
  for (size_t i = 0; i < plan->n_memory; i++)
    ak_free (dev, plan->memory[i]);
  free (plan->memory);
  dev->ops.plan_free (plan);
  ak_device_unref (dev);
}

void *
ak_plan_memory (AkPlan *plan, size_t bytes)
{
  void **grown, *block;

  if (!plan || plan->status != AK_OK)
    return NULL;
  grown = realloc (plan->memory, (plan->n_memory + 1) * sizeof *grown);
  if (grown)
    plan->memory = grown;
  block = grown ? ak_alloc (plan->dev, bytes) : NULL;
  if (!block) {
    ak_plan_fail (plan, AK_ERR_MEMORY);
    return NULL;
  }
  plan->memory[plan->n_memory++] = block;
  return block;
}

void
ak_plan_fail (AkPlan *plan, AkStatus status)
{
  if (plan->status == AK_OK)
    plan->status = status;
}

AkStatus
ak_plan_finish (AkPlan *plan)
{
  if (plan->status == AK_OK)
    plan->status = plan->dev->ops.plan_finish (plan);
  return plan->status;
}

AkStatus
ak_plan_run (AkPlan *plan, AkQueue *queue, const atomic_int *cancel)
{
  if (plan->status != AK_OK)
    return plan->status;
  return plan->dev->ops.plan_run (plan, queue, cancel);
}
