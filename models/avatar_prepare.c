/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A person's splats from one picture: the networks of model spec, section 10, one stage after the other. */
#include "avatar_priv.h"
#include "dino.h"

#include <string.h>

typedef struct
{
  AmAvatarModel *model;
  const AmPerson *person;
  const atomic_int *cancel;
  AmAvatarProgress progress;
  gpointer data;

  AmPart *part; /* freed as soon as the splats are there: it is most of the file */
  AmDino *dino;
  AmGenerators *generators;
  AkQueue *queue;
  AkPlan *room; /* memory only */
  AmDinoRun *run;
  size_t side;
  AkRows map, global, code;
  AmRawSplats raw;
} Prepare;

static void
prepare_clear (Prepare *p)
{
  am_dino_run_free (p->run);
  ak_plan_free (p->room);
  ak_queue_free (p->queue);
  am_generators_free (p->generators);
  am_dino_free (p->dino);
  am_part_free (p->part);
}

static gboolean
load (Prepare *p, GError **error)
{
  AmAvatarModel *model = p->model;

  p->part = am_part_new (model->device, AK_F32, model->weights);
  am_part_set_prefix (p->part, model->prefix);
  am_part_set_cancel (p->part, p->cancel);
  p->dino = am_dino_load (p->part, model->heads);
  p->generators = am_generators_load (p->part, am_dino_features (p->dino), am_dino_width (p->dino));
  if (!am_part_finish (p->part, error))
    return FALSE;
  p->side = am_dino_features_side (p->dino);
  return TRUE;
}

static float *
room (Prepare *p, size_t n)
{
  return ak_plan_memory (p->room, n * sizeof (float));
}

static AkStatus
begin (Prepare *p)
{
  size_t pixels = p->side * p->side, width = am_dino_width (p->dino);
  size_t cols = am_dino_features (p->dino) + AM_DIRECTION_CODE;
  size_t n_image = 3 * p->person->height * p->person->width;
  float code[AM_DIRECTION_CODE], normal[3], *image;

  p->queue = ak_queue_new (p->model->device);
  p->room = ak_plan_new (p->model->device);
  if (!p->queue || !p->room)
    return AK_ERR_MEMORY;
  image = room (p, n_image);
  p->map = ak_dense (room (p, pixels * cols), pixels, cols);
  p->global = ak_dense (room (p, width), 1, width);
  p->code = ak_same (room (p, AM_DIRECTION_CODE));
  p->raw = am_generators_room (p->generators, p->room, p->side);
  p->run = am_dino_run_new (
      p->dino, p->room, image, p->person->height, p->person->width, p->map, p->global, NULL);
  if (!p->code.data)
    return AK_ERR_MEMORY;
  for (int i = 0; i < 3; i++)
    normal[i] = p->person->transform[4 * i + 2];
  am_direction_code (normal, code);
  ak_upload (p->queue, image, p->person->image, n_image * sizeof *image);
  ak_upload (p->queue, p->code.data, code, sizeof code);
  return ak_queue_sync (p->queue);
}

/* Stage `i` of the features', then of the generators'. */
static AkStatus
run_stage (Prepare *p, unsigned i)
{
  unsigned first = am_dino_stages (p->dino);
  AkPlan *plan = ak_plan_new (p->model->device);
  AkStatus status;

  if (!plan)
    return AK_ERR_MEMORY;
  if (i < first)
    am_dino_record (p->run, plan, i);
  else
    am_generators_record (
        p->generators, plan, p->room, i - first, &p->raw, p->map, p->global, p->code, p->side);
  status = ak_plan_finish (plan);
  if (status == AK_OK)
    status = ak_plan_finish (p->room); /* an error of its memory */
  if (status == AK_OK)
    status = ak_plan_run (plan, p->queue, p->cancel);
  if (status == AK_OK)
    status = ak_queue_sync (p->queue);
  ak_plan_free (plan);
  return status;
}

static float *
fetch (Prepare *p, AkRows rows, size_t n)
{
  float *to = g_try_new (float, n);

  if (to)
    ak_download (p->queue, to, rows.data, n * sizeof *to);
  return to;
}

static AmSplats *
finish (Prepare *p, AkStatus *status)
{
  size_t C = am_generators_channels (p->generators), pixels = p->side * p->side;
  g_autofree float *vertices =
      fetch (p, p->raw.vertices, am_generators_vertices (p->generators) * (C + 8));
  g_autofree float *plane0 = fetch (p, p->raw.planes[0], pixels * (C + 9));
  g_autofree float *plane1 = fetch (p, p->raw.planes[1], pixels * (C + 9));

  *status = ak_queue_sync (p->queue);
  if (!vertices || !plane0 || !plane1)
    *status = AK_ERR_MEMORY;
  if (*status != AK_OK)
    return NULL;
  return am_generators_finish (p->generators, vertices, (const float *const[]){ plane0, plane1 },
      p->side, p->person->transform);
}

static void
tell (Prepare *p, double done)
{
  if (p->progress)
    p->progress (done, p->data);
}

static AmSplats *
prepare (Prepare *p, GError **error)
{
  AmSplats *splats = NULL;
  AkStatus status;
  unsigned n;

  tell (p, 0);
  if (!load (p, error))
    return NULL;
  n = am_dino_stages (p->dino) + AM_GENERATORS_STAGES;
  tell (p, 1.0 / (n + 2));
  status = begin (p);
  for (unsigned i = 0; i < n && status == AK_OK; i++) {
    status = run_stage (p, i);
    if (status == AK_OK)
      tell (p, (i + 2.0) / (n + 2));
  }
  if (status == AK_OK)
    splats = finish (p, &status);
  am_error_from_status (status, "preparing the avatar", error);
  return splats;
}

AmAvatar *
am_avatar_prepare (AmAvatarModel *model, const AmPerson *person, const atomic_int *cancel,
    AmAvatarProgress progress, gpointer data, GError **error)
{
  static const float no_transform[12] = { 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0 };
  Prepare p = {
    .model = model, .person = person, .cancel = cancel, .progress = progress, .data = data
  };
  g_autofree char *key = am_avatar_key (model, person);
  g_autoptr (AmSplats) splats = NULL;
  AmAvatar *avatar;

  if (!model->info.needs_person) {
    tell (&p, 1);
    return am_avatar_new (model, NULL, no_transform, NULL, 0, key, error);
  }
  if (!person) {
    g_set_error (error, AM_ERROR, AM_ERROR_MISSING,
        "%s: this avatar model needs a tracked person (tracked.pt and a name)",
        am_weights_path (model->weights));
    return NULL;
  }
  splats = prepare (&p, error);
  prepare_clear (&p);
  if (!splats)
    return NULL;
  avatar =
      am_avatar_new (model, splats, person->transform, person->shape, person->n_shape, key, error);
  if (avatar)
    tell (&p, 1);
  return avatar;
}
