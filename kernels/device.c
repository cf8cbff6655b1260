/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening devices, and the doors of memory, queues and plans. */
#include "device_priv.h"
#include "module.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;
static AkDevice *open_devices;
static _Thread_local char problem[512];

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

const char *
ak_device_problem (void)
{
  return problem;
}

/* A new device: everything but its references, its name and its place in the list. */
static AkDevice *
open_new (const char *name, unsigned threads, AkStatus *status)
{
  AkDevice *dev;

  if (ak_module_has (name)) {
    dev = ak_module_open (name, status, problem, sizeof problem);
  } else if (strcmp (name, "cpu") == 0 || strcmp (name, "cpu:plain") == 0 ||
             strcmp (name, "cpu:onednn") == 0) {
    dev = ak_cpu_open (name[3] ? name + 4 : "", threads, status);
  } else {
    snprintf (problem, sizeof problem, "there is no such device: cpu, cuda or cuda:N are known");
    *status = AK_ERR_DEVICE;
    return NULL;
  }
  if (!dev && !*problem)
    snprintf (problem, sizeof problem, "%s", ak_status_text (*status));
  return dev;
}

AkDevice *
ak_device_open (const char *name, unsigned threads, AkStatus *status)
{
  AkDevice *dev;
  AkStatus ignored;

  if (!status)
    status = &ignored;
  *problem = '\0';
  if (!name || strlen (name) >= sizeof dev->name) {
    snprintf (problem, sizeof problem, "there is no such device");
    *status = AK_ERR_ARG;
    return NULL;
  }
  *status = AK_OK;
  pthread_mutex_lock (&open_lock);
  for (dev = open_devices; dev; dev = dev->next)
    if (strcmp (dev->name, name) == 0 &&
        (threads == 0 || dev->threads == 0 || dev->threads == threads))
      break;
  if (dev) {
    atomic_fetch_add (&dev->refs, 1);
  } else {
    dev = open_new (name, threads, status);
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

void *
ak_device_context (const AkDevice *dev, int *card)
{
  return dev->ops.context ? dev->ops.context (dev, card) : NULL;
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

void *
ak_pin (AkDevice *dev, size_t bytes)
{
  return dev->ops.pin ? dev->ops.pin (dev, bytes) : malloc (bytes);
}

void
ak_unpin (AkDevice *dev, void *ptr)
{
  if (dev->ops.unpin)
    dev->ops.unpin (dev, ptr);
  else
    free (ptr);
}

AkQueue *
ak_queue_new (AkDevice *dev)
{
  AkQueue *queue = dev->ops.queue_new (dev);

  if (queue)
    ak_device_ref (dev);
  return queue;
}

void
ak_queue_free (AkQueue *queue)
{
  AkDevice *dev;

  if (!queue)
    return;
  dev = queue->dev;
  dev->ops.queue_free (queue);
  ak_device_unref (dev);
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
  AkPlan *plan = dev->ops.plan_new (dev);

  if (plan)
    ak_device_ref (dev);
  return plan;
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
