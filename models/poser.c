/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Posing a head: one plan of one operation, or that operation in the plan of who draws the head. */
#include "head_priv.h"
#include "device.h"

#include <math.h>
#include <string.h>

#define MAX_SHAPE 4096

struct _AmPoser
{
  guint number;
  AmHead *head;
  AkDevice *dev;
  AkQueue *queue;
  AkPlan *plan;
  AkFlame *flame;
  size_t n_in;     /* expressions + 3 joints */
  float *in;       /* [n_in] on the host: expression, then poses */
  float *dev_in;   /* the same on the device */
  float *vertices; /* [V][3] on the device */
};

void
am_poser_free (AmPoser *poser)
{
  if (!poser)
    return;
  ak_plan_free (poser->plan);
  ak_queue_free (poser->queue);
  ak_flame_free (poser->flame);
  ak_device_unref (poser->dev);
  am_head_unref (poser->head);
  g_free (poser->in);
  g_free (poser);
}

AkFlame *
am_head_pack (const AmHead *head, AkDevice *dev, const float *shape, size_t n_shape, float scale,
    gboolean groomed, AkStatus *status)
{
  g_autofree float *v_template =
      head->rest ? g_memdup2 (head->rest, 3 * sizeof (float) * head->info.vertices)
                 : am_tensor_to_f32 (head->v_template);
  g_autofree float *shapedirs = am_tensor_to_f32 (head->shapedirs);
  g_autofree float *posedirs = am_tensor_to_f32 (head->posedirs);
  g_autofree float *regressor = am_tensor_to_f32 (head->regressor);
  g_autofree float *weights = am_tensor_to_f32 (head->skinning);
  AkFlameDesc desc = {
    .vertices = head->info.vertices,
    .joints = head->joints,
    .shapes = head->info.shapes,
    .expressions = head->info.expressions,
    .v_template = v_template,
    .shapedirs = shapedirs,
    .posedirs = posedirs,
    .regressor = regressor,
    .parents = head->parents,
    .weights = weights,
    .shape = shape,
    .n_shape = shape ? n_shape : 0,
    .scale = scale,
  };

  for (size_t i = 0; groomed && i < head->n_groomed; i++)
    for (size_t k = 0; k < 3; k++)
      v_template[3 * head->groomed[i] + k] += head->groom[3 * i + k];
  return ak_flame_new (dev, &desc, status);
}

gboolean
am_head_check_shape (const AmHead *head, const float *shape, size_t n_shape, GError **error)
{
  if (shape && n_shape > head->info.shapes) {
    g_set_error (error, AM_ERROR, AM_ERROR_SHAPE,
        "%s: %zu identity coefficients given, the head has %u", am_weights_path (head->weights),
        n_shape, head->info.shapes);
    return FALSE;
  }
  for (size_t i = 0; shape && i < n_shape; i++)
    if (!isfinite (shape[i])) {
      g_set_error (error, AM_ERROR, AM_ERROR_FORMAT,
          "head: identity coefficient %zu is not a finite number", i);
      return FALSE;
    }
  return TRUE;
}

AkDevice *
am_poser_device (const AmPoser *poser)
{
  return poser->dev;
}

guint
am_poser_number (const AmPoser *poser)
{
  return poser->number;
}

const float *
am_poser_record (AmPoser *poser, AkPlan *plan)
{
  ak_flame_pose (plan, poser->flame, poser->vertices, poser->dev_in,
      poser->dev_in + poser->head->info.expressions);
  return poser->vertices;
}

AkStatus
am_poser_upload (AmPoser *poser, const float *motion, AkQueue *queue)
{
  am_head_pose_input (poser->head, motion, TRUE, poser->in);
  return ak_upload (queue, poser->dev_in, poser->in, poser->n_in * sizeof (float));
}

static gboolean
build (AmPoser *poser, const float *shape, size_t n_shape, float scale, AkStatus *status)
{
  static guint posers; /* so far */
  size_t E = poser->head->info.expressions, V = poser->head->info.vertices;

  poser->number = g_atomic_int_add (&posers, 1) + 1;
  poser->flame = am_head_pack (poser->head, poser->dev, shape, n_shape, scale, TRUE, status);
  if (!poser->flame)
    return FALSE;
  poser->n_in = E + 3 * poser->head->joints;
  poser->in = g_new0 (float, poser->n_in);
  poser->queue = ak_queue_new (poser->dev);
  poser->plan = ak_plan_new (poser->dev);
  if (!poser->queue || !poser->plan) {
    *status = AK_ERR_MEMORY;
    return FALSE;
  }
  poser->dev_in = ak_plan_memory (poser->plan, poser->n_in * sizeof (float));
  poser->vertices = ak_plan_memory (poser->plan, 3 * V * sizeof (float));
  am_poser_record (poser, poser->plan);
  *status = ak_plan_finish (poser->plan);
  return *status == AK_OK;
}

AmPoser *
am_poser_new (AmHead *head, const char *device, const float *shape, size_t n_shape, float scale,
    GError **error)
{
  g_autoptr (AmPoser) poser = g_new0 (AmPoser, 1);
  AkStatus status;

  poser->head = am_head_ref (head);
  if (!(isfinite (scale) && scale > 0)) {
    g_set_error (error, AM_ERROR, AM_ERROR_SHAPE, "head: scale must be positive");
    return NULL;
  }
  if (!am_head_check_shape (head, shape, n_shape, error))
    return NULL;
  poser->dev = am_device_open (device, 0, error);
  if (!poser->dev)
    return NULL;
  if (!build (poser, shape, n_shape, scale, &status)) {
    g_autofree char *what = g_strdup_printf ("posing on device \"%s\"", device ? device : "auto");

    am_error_from_status (status, what, error);
    return NULL;
  }
  return g_steal_pointer (&poser);
}

size_t
am_poser_motion_dim (const AmPoser *poser)
{
  return poser->head->info.expressions + 6;
}

static float
finite_or_zero (float x)
{
  return isfinite (x) ? x : 0;
}

void
am_head_pose_input (const AmHead *head, const float *motion, gboolean turn, float *in)
{
  size_t E = head->info.expressions;
  float *pose = in + E;

  for (size_t e = 0; e < E; e++)
    in[e] = finite_or_zero (motion[e]);
  for (size_t k = 0; k < 3; k++) {
    pose[3 * AM_JOINT_ROOT + k] = turn ? finite_or_zero (motion[E + k]) : 0;
    pose[3 * AM_JOINT_JAW + k] = finite_or_zero (motion[E + 3 + k]);
  }
}

gboolean
am_poser_run (AmPoser *poser, const float *motion, float *vertices, GError **error)
{
  AkStatus status = am_poser_upload (poser, motion, poser->queue);

  if (status == AK_OK)
    status = ak_plan_run (poser->plan, poser->queue, NULL);
  if (status == AK_OK)
    status = ak_download (
        poser->queue, vertices, poser->vertices, 3 * sizeof (float) * poser->head->info.vertices);
  if (status == AK_OK)
    status = ak_queue_sync (poser->queue);
  return am_error_from_status (status, "posing", error);
}

float *
am_shape_load (const char *path, size_t *n, GError **error)
{
  g_autoptr (AmWeights) w = am_weights_open (path, error);
  const AmTensor *t;

  if (!w)
    return NULL;
  t = am_weights_count (w) == 1 ? am_weights_nth (w, 0) : am_weights_find (w, "shape");
  if (!t || t->n == 0 || t->n > MAX_SHAPE) {
    g_autofree char *found =
        t ? am_tensor_shape_string (t)
          : g_strdup_printf ("%zu tensors, none of that name", am_weights_count (w));

    g_set_error (error, AM_ERROR, AM_ERROR_SHAPE,
        "%s: a head's shape is one tensor of 1 to %d numbers, or one called \"shape\"; this file "
        "holds %s",
        path, MAX_SHAPE, found);
    return NULL;
  }
  *n = t->n;
  return am_tensor_to_f32 (t);
}
