/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frames of an avatar for one stream: a plan up to the splats, which belongs to the person, one from there to
 * the colours, and one into the video frame. */
#include "avatar_priv.h"

#include <math.h>
#include <string.h>

#include "camera.h"
#include "head_priv.h"
#include "kernels/compose.h"
#include "kernels/linear.h"
#include "kernels/picture.h"
#include "kernels/points.h"
#include "kernels/raster.h"
#include "kernels/resize2d.h"
#include "kernels/spans.h"
#include "kernels/splat.h"
#include "watermark.h"

#define SCALE 5    /* of the head, published */
#define KEEP 0.98f /* of the forehead's average */

G_STATIC_ASSERT ((int) AM_PIXELS_NV12 == (int) AK_PIXELS_NV12);

/* The published head's forehead (FLAME_with_eye.pt). */
#define FOREHEAD_VERTICES 5023
static const uint32_t forehead[] = { 2168, 2165, 3068, 2199, 2196, 3720, 2091, 2088, 3524, 625, 628,
  3871, 705, 708, 2030, 667, 670, 3708, 3706, 3729, 3721, 3773, 3789, 3735, 3732, 3786, 3876, 3878,
  3913, 3899, 3872, 3874, 3864, 3865, 3158, 3157, 336, 335, 3153, 3705, 2177, 2176, 3540, 671, 672,
  3863, 2134, 16, 17, 2138, 2139, 2567, 2566, 337, 338, 3154, 3712, 2178, 2179, 3495, 674, 673,
  3868, 2135, 27, 18, 1429, 1430 };

/* What belongs to the person. */
typedef struct
{
  AmAvatar *avatar;
  AkFlame *flame;
  AkMesh *mesh; /* of a bound model */
  AkPlan *plan;
  float *points; /* the head's vertices, [V][3] */
  AkSplat splat; /* as recorded; with the colours of the file where the network has others */
} Person;

struct _AmAvatarView
{
  AmAvatarModel *model;
  AmHead *head;
  AkQueue *queue;
  gboolean inside; /* keep the radii */
  unsigned side;

  AkPlan *draw; /* from image and transmittance to rgba */
  float *image,
      *transmittance; /* of the splats: [side²][channels, or AK_SPLAT_FRONT with half], [side²] */
  float *half;        /* [side² / 4][channels], or NULL */
  float *whole;       /* [side²][channels] of the inside */
  float *network;     /* what the network gives */
  float *rgba;        /* [side²][4] */
  float *background;  /* [4], see AkCompose */
  float *terms;       /* of the watermark, or NULL */

  size_t n_in;        /* numbers that come with a frame: */
  float *in, *dev_in; /* expression and pose, view, projection */
  size_t n_average;   /* vertices that follow their average */
  uint32_t *indices;  /* on the device */
  float *average, *started;
  AkPlan *state; /* memory only */

  Person person;

  AkPlan *out; /* rgba into `picture`, or NULL */
  AkPicture picture;
  uint8_t *bytes;
  uint32_t argb;   /* background, A not used */
  uint32_t filled; /* what the bytes around the square are */
};

static void
person_clear (Person *p)
{
  ak_plan_free (p->plan);
  ak_flame_free (p->flame);
  ak_mesh_free (p->mesh);
  am_avatar_unref (p->avatar);
  *p = (Person){ 0 };
}

void
am_avatar_view_free (AmAvatarView *view)
{
  if (!view)
    return;
  ak_plan_free (view->out);
  person_clear (&view->person);
  ak_plan_free (view->draw);
  ak_plan_free (view->state);
  ak_queue_free (view->queue);
  am_head_unref (view->head);
  am_avatar_model_unref (view->model);
  g_free (view->in);
  g_free (view);
}

static AkRows
rows_new (AkPlan *plan, size_t rows, size_t cols)
{
  return ak_dense (ak_plan_memory (plan, rows * cols * sizeof (float)), rows, cols);
}

static AkRows
resized (AkPlan *plan, AkRows x, size_t from, size_t to, size_t channels)
{
  AkRows y = rows_new (plan, to * to, channels);

  ak_resize2d (plan, &(AkResize2d){ .y = y,
                         .x = x,
                         .mode = from > 2 * to ? AK_RESIZE2D_SMOOTH : AK_RESIZE2D_LINEAR,
                         .batch = 1,
                         .in_height = from,
                         .in_width = from,
                         .out_height = to,
                         .out_width = to,
                         .channels = channels });
  return y;
}

/* Where the network's colours will be seen: in and beside pixels that splats cover. */
static const AkSpan *
record_wanted (AmAvatarView *view, size_t network)
{
  AkSpan *covered = ak_plan_memory (view->draw, network / 2 * sizeof *covered);
  AkSpan *wanted = ak_plan_memory (view->draw, network / 2 * sizeof *wanted);

  ak_spans_find (view->draw, &(AkSpansFind){ .spans = covered,
                                 .transmittance = view->transmittance,
                                 .side = network,
                                 .n = view->side / network });
  ak_spans_grow (
      view->draw, &(AkSpansGrow){ .y = wanted, .x = covered, .side = network, .grow = 1 });
  return wanted;
}

/* All of the network's colours, computed in the same way as if only some were wanted. */
static const AkSpan *
want_all (AmAvatarView *view, size_t network)
{
  size_t n = network / 2;
  AkSpan *wanted = ak_plan_memory (view->draw, n * sizeof *wanted);
  g_autofree AkSpan *all = g_new (AkSpan, n);

  for (size_t i = 0; i < n; i++)
    all[i] = (AkSpan){ 0, (uint16_t) n };
  if (wanted)
    ak_upload (view->queue, wanted, all, n * sizeof *all);
  return wanted;
}

/* Image and transmittance to rgba. */
static void
record_draw (AmAvatarView *view, AmNoise noise, const AmWatermark *mark)
{
  AmAvatarModel *model = view->model;
  AkPlan *plan = view->draw;
  size_t side = view->side, pixels = side * side, s = side;
  size_t mixed = model->info.needs_person ? 0 : model->bound.mixed;
  size_t C = mixed ? 3 + mixed : model->info.channels;
  size_t network = model->info.needs_person ? side : model->bound.network_side;
  gboolean halved = network < side && side % 2 == 0;
  AkRows image = rows_new (plan, pixels, halved ? AK_SPLAT_FRONT : C), x = image, y;
  const AkSpan *wanted = NULL;
  uint64_t *seed = ak_plan_memory (plan, sizeof *seed);
  uint64_t start = (uint64_t) g_random_int () << 32 | g_random_int ();

  view->image = image.data;
  view->transmittance = rows_new (plan, pixels, 1).data;
  view->rgba = rows_new (plan, pixels, 4).data;
  view->background = rows_new (plan, 1, 4).data;
  if (halved) {
    x = rows_new (plan, pixels / 4, C);
    view->half = x.data;
    s /= 2;
  }
  if (view->inside)
    view->whole =
        halved || mixed ? rows_new (plan, pixels, model->info.channels).data : view->image;
  for (; s > network; s /= 2)
    x = resized (plan, x, s, s / 2, C);
  y = rows_new (plan, network * network, 3);
  view->network = y.data;
  /* a bound model's picture is nothing but background where no splats are */
  if (!model->info.needs_person)
    wanted = view->inside ? want_all (view, network) : record_wanted (view, network);
  if (mixed)
    am_styleunet_record_sums (
        model->upsampler, plan, y.data, ak_from (x, 0, 3), noise, seed, wanted);
  else
    am_styleunet_record (model->upsampler, plan, y.data, x.data, noise, seed, wanted, NULL);
  for (; s < side; s *= 2)
    y = resized (plan, y, s, 2 * s, 3);
  ak_compose (plan, &(AkCompose){ .y = ak_dense (view->rgba, pixels, 4),
                        .splats = image,
                        .refined = y,
                        .transmittance = view->transmittance,
                        .background = view->background,
                        .mode = model->info.needs_person ? AK_COMPOSE_REPLACE : AK_COMPOSE_ADD,
                        .pixels = pixels });
  if (mark->terms) {
    view->terms = rows_new (plan, 2 * mark->rows, 4 * mark->cols).data;
    am_watermark_record (mark, plan, view->rgba, view->side, view->terms);
  }
  if (ak_plan_finish (plan) != AK_OK)
    return;
  ak_upload (view->queue, seed, &start, sizeof start);
  if (mark->terms)
    ak_upload (
        view->queue, view->terms, mark->terms, 8 * mark->rows * mark->cols * sizeof *mark->terms);
}

static gboolean
check_average (const AmAvatarOptions *o, size_t vertices, GError **error)
{
  g_autofree gboolean *seen = g_new0 (gboolean, vertices);

  for (size_t i = 0; i < o->n_average; i++) {
    if (o->average[i] >= vertices || seen[o->average[i]]) {
      g_set_error (error, AM_ERROR, AM_ERROR_SHAPE,
          "averaged vertices: %u is named twice or is not among the %zu", o->average[i], vertices);
      return FALSE;
    }
    seen[o->average[i]] = TRUE;
  }
  return TRUE;
}

static AkStatus
make_state (AmAvatarView *view, const uint32_t *indices, size_t n)
{
  size_t bytes = MAX (n, 1) * sizeof *indices;

  view->n_in = am_head_info (view->head)->expressions + 3 * view->head->joints;
  view->in = g_new0 (float, view->n_in + 32);
  view->dev_in = ak_plan_memory (view->state, (view->n_in + 32) * sizeof (float));
  view->n_average = n;
  view->indices = ak_plan_memory (view->state, bytes);
  view->average = ak_plan_memory (view->state, 3 * bytes);
  view->started = ak_plan_memory (view->state, sizeof (float));
  if (ak_plan_finish (view->state) == AK_OK && n)
    ak_upload (view->queue, view->indices, indices, bytes);
  return ak_plan_finish (view->state);
}

static AkSplat
splat_args (AmAvatarView *view, size_t n)
{
  return (AkSplat){ .image = view->image,
    .half = view->half,
    .transmittance = view->transmittance,
    .view = view->dev_in + view->n_in,
    .projection = view->dev_in + view->n_in + 16,
    .splats = n,
    .channels = view->model->info.channels,
    .width = view->side,
    .height = view->side,
    .tan_fov_x = (float) (1 / AM_FOCAL),
    .tan_fov_y = (float) (1 / AM_FOCAL),
    .rest = view->model->info.needs_person ? 0 : 1.0f / 255,
    .details.radius =
        view->inside ? ak_plan_memory (view->draw, MAX (n, 1) * sizeof (int32_t)) : NULL };
}

/* Runs and frees a plan (NULL: there was no memory for it). */
static AkStatus
run_once (AmAvatarView *view, AkPlan *plan)
{
  AkStatus status = plan ? ak_plan_finish (plan) : AK_ERR_MEMORY;

  if (status == AK_OK)
    status = ak_plan_run (plan, view->queue, NULL);
  if (status == AK_OK)
    status = ak_queue_sync (view->queue);
  ak_plan_free (plan);
  return status;
}

/* Splats of which the first ones follow the head. */
static AkStatus
record_person (AmAvatarView *view, Person *p)
{
  const AmAvatar *a = p->avatar;
  size_t E = am_head_info (view->head)->expressions;
  AkPlan *once = ak_plan_new (view->model->device);
  AkSplat splat = splat_args (view, a->n);
  AkStatus status;

  p->points = rows_new (p->plan, a->n, 3).data;
  if (p->points)
    ak_copy (once, ak_same (p->points), ak_same (a->means), 1, 1, 3 * a->n);
  status = run_once (view, once);
  if (status != AK_OK)
    return status;
  ak_flame_pose (p->plan, p->flame, p->points, view->dev_in, view->dev_in + E);
  ak_average_points (p->plan, &(AkAveragePoints){ .points = p->points,
                                  .indices = view->indices,
                                  .n = a->followers,
                                  .count = view->n_average,
                                  .average = view->average,
                                  .started = view->started,
                                  .keep = KEEP });
  splat.means = p->points;
  splat.scales = a->scales;
  splat.rotations = a->rotations;
  splat.opacities = a->opacities;
  splat.colors = a->colors;
  p->splat = splat;
  ak_splat (p->plan, &splat);
  return ak_plan_finish (p->plan);
}

/* Leaves the features in the colours and takes them from `bind`. */
static void
write_features (AkPlan *once, AkBind *bind)
{
  size_t n = bind->splats, channels = ak_bind_channels (bind);

  ak_copy (once, ak_from (ak_dense (bind->colors, n, channels), 0, 3),
      ak_dense ((float *) bind->feature, n, bind->features), 1, n, bind->features);
  bind->feature = NULL;
}

/* Puts what the network's first layer makes of the features into `mixed`, and that and its weights into `bind`. */
static void
mix_features (const AmBound *bound, AkPlan *once, AkBind *bind, AkRows mixed)
{
  if (bind->splats)
    ak_linear (once, &(AkLinear){ .y = mixed,
                         .x = ak_dense ((float *) bind->feature, bind->splats, bind->features),
                         .matrix = bound->mix_features,
                         .batch = 1,
                         .rows = bind->splats });
  bind->feature = mixed.data;
  bind->features = bound->mixed;
  bind->mix = bound->mix;
}

/* Splats that lie on the head's triangles. */
static AkStatus
record_bound (AmAvatarView *view, Person *p)
{
  const AmBound *bound = &view->model->bound;
  const AmHeadInfo *info = am_head_info (view->head);
  const uint32_t *faces = am_head_faces (view->head);
  size_t n = bound->bind.splats;
  AkMeshDesc desc = { .vertices = info->vertices, .faces = info->faces, .indices = faces };
  g_autofree uint32_t *corners = g_new (uint32_t, MAX (3 * n, 1));
  uint32_t *dev_corners = ak_plan_memory (p->plan, MAX (3 * n, 1) * sizeof *corners);
  float *vertices = rows_new (p->plan, info->vertices, 3).data;
  float *normals = rows_new (p->plan, info->vertices, 3).data;
  AkBind bind = bound->bind;
  AkSplat splat = splat_args (view, n);
  AkPlan *once;
  AkStatus status;

  p->mesh = ak_mesh_new (view->model->device, &desc, &status);
  if (!p->mesh)
    return status;
  for (size_t i = 0; i < n; i++)
    memcpy (corners + 3 * i, faces + 3 * (size_t) view->model->bound_faces[i], 3 * sizeof *corners);
  bind.corners = dev_corners;
  bind.vertices = vertices;
  bind.normals = normals;
  splat.means = bind.means = rows_new (p->plan, MAX (n, 1), 3).data;
  splat.scales = bind.scales = rows_new (p->plan, MAX (n, 1), 3).data;
  splat.rotations = bind.rotations = rows_new (p->plan, MAX (n, 1), 4).data;
  splat.opacities = bound->opacities;
  p->points = vertices;
  ak_flame_pose (p->plan, p->flame, vertices, view->dev_in, view->dev_in + info->expressions);
  ak_mesh_normals (p->plan, p->mesh, normals, vertices);
  if (view->inside && (view->half || bound->mixed)) {
    p->splat = splat;
    p->splat.image = view->whole;
    p->splat.half = NULL;
    p->splat.colors = bind.colors = rows_new (p->plan, MAX (n, 1), splat.channels).data;
    ak_bind (p->plan, &bind);
    ak_splat (p->plan, &p->splat);
  }
  once = ak_plan_new (view->model->device);
  if (bound->mixed)
    splat.channels = 3 + bound->mixed;
  if (bound->mixed && splat.half)
    splat.half_first = 3; /* the network's first layer has seen the colours */
  splat.colors = bind.colors = rows_new (p->plan, MAX (n, 1), splat.channels).data;
  if (bound->mixed)
    mix_features (bound, once, &bind, rows_new (p->plan, MAX (n, 1), bound->mixed));
  else /* what does not change is written once */
    write_features (once, &bind);
  status = run_once (view, once);
  if (status != AK_OK)
    return status;
  ak_bind (p->plan, &bind);
  ak_splat (p->plan, &splat);
  if (!p->splat.image)
    p->splat = splat;
  status = ak_plan_finish (p->plan);
  if (status == AK_OK)
    status = ak_upload (view->queue, dev_corners, corners, 3 * n * sizeof *corners);
  return status;
}

gboolean
am_avatar_model_check_head (const AmAvatarModel *model, const AmHead *head, GError **error)
{
  const AmHeadInfo *info = am_head_info (head);
  const AmAvatarModelInfo *need = &model->info;

  if (info->vertices != need->vertices ||
      (!need->needs_person && info->faces != model->bound.faces)) {
    g_set_error (error, AM_ERROR, AM_ERROR_MISMATCH,
        "the avatar model was made for a head of %u vertices, this head has %u: choose head=…",
        need->vertices, info->vertices);
    return FALSE;
  }
  if (strcmp (info->basis, need->basis) != 0) {
    g_set_error (error, AM_ERROR, AM_ERROR_MISMATCH,
        "the avatar model was made for expressions \"%s\", this head has \"%s\": choose head=…",
        need->basis, info->basis);
    return FALSE;
  }
  return TRUE;
}

static gboolean
check_person (const AmAvatarView *view, const AmAvatar *avatar, GError **error)
{
  if (avatar->model != view->model) {
    g_set_error (error, AM_ERROR, AM_ERROR_MISMATCH, "the avatar was prepared by another model");
    return FALSE;
  }
  return am_avatar_model_check_head (view->model, view->head, error) &&
         am_head_check_shape (view->head, avatar->shape, avatar->n_shape, error);
}

gboolean
am_avatar_view_set_avatar (AmAvatarView *view, AmAvatar *avatar, GError **error)
{
  gboolean bound = !view->model->info.needs_person;
  Person p = { 0 };
  AkStatus status = AK_ERR_MEMORY;

  if (!check_person (view, avatar, error))
    return FALSE;
  p.avatar = am_avatar_ref (avatar);
  p.flame = am_head_pack (view->head, view->model->device, avatar->shape, avatar->n_shape,
      bound ? view->model->bound.scale : SCALE, FALSE, &status);
  p.plan = ak_plan_new (view->model->device);
  if (!p.plan)
    status = AK_ERR_MEMORY;
  else if (p.flame)
    status = bound ? record_bound (view, &p) : record_person (view, &p);
  if (status == AK_OK)
    status = ak_queue_sync (view->queue);
  if (!am_error_from_status (status, "avatar", error)) {
    person_clear (&p);
    return FALSE;
  }
  person_clear (&view->person);
  view->person = p;
  return TRUE;
}

static AmAvatarView *
view_new (
    AmAvatar *avatar, AmHead *head, const AmAvatarOptions *options, gboolean inside, GError **error)
{
  g_autoptr (AmAvatarView) view = g_new0 (AmAvatarView, 1);
  AmAvatarModel *model = avatar->model;
  AmAvatarOptions o = options ? *options : (AmAvatarOptions){ .noise = AM_NOISE_NONE };
  AmWatermark mark = { 0 };
  AkStatus status = AK_ERR_MEMORY;

  view->model = am_avatar_model_ref (model);
  view->head = am_head_ref (head);
  view->side = model->info.side;
  view->inside = inside;
  view->argb = 0xffffffff;
  if (!o.average && model->info.needs_person)
    o.average = am_head_region (head, "forehead", &o.n_average);
  if (!o.average && model->info.needs_person &&
      am_head_info (head)->vertices == FOREHEAD_VERTICES) {
    o.average = forehead;
    o.n_average = G_N_ELEMENTS (forehead);
  }
  if (!o.average)
    o.n_average = 0;
  if (!check_person (view, avatar, error) ||
      !check_average (&o, am_head_info (head)->vertices, error) ||
      !am_avatar_model_load (model, o.cancel, error))
    return NULL;
  if (o.watermark && !am_watermark_make (&mark, model->device, o.watermark, o.watermark_width,
                         o.watermark_height, view->side, error))
    return NULL;
  view->queue = ak_queue_new (model->device);
  view->draw = ak_plan_new (model->device);
  view->state = ak_plan_new (model->device);
  if (view->queue && view->draw && view->state) {
    record_draw (view, o.noise, &mark);
    status = ak_plan_finish (view->draw);
    if (status == AK_OK)
      status = make_state (view, o.average, o.n_average);
    if (status == AK_OK)
      status = ak_queue_sync (view->queue);
  }
  am_watermark_clear (&mark);
  if (!am_error_from_status (status, "avatar", error) ||
      !am_avatar_view_set_avatar (view, avatar, error))
    return NULL;
  return g_steal_pointer (&view);
}

AmAvatarView *
am_avatar_view_new (AmAvatar *avatar, AmHead *head, const AmAvatarOptions *options, GError **error)
{
  return view_new (avatar, head, options, FALSE, error);
}

AmAvatarView *
am_avatar_view_new_inside (
    AmAvatar *avatar, AmHead *head, const AmAvatarOptions *options, GError **error)
{
  return view_new (avatar, head, options, TRUE, error);
}

void
am_avatar_view_inside (AmAvatarView *view, AmAvatarInside *inside)
{
  *inside = (AmAvatarInside){ .points = view->person.points,
    .average = view->average,
    .image = view->whole,
    .transmittance = view->transmittance,
    .rgba = view->rgba,
    .means = view->person.splat.means,
    .scales = view->person.splat.scales,
    .rotations = view->person.splat.rotations,
    .colors = view->person.splat.colors,
    .network = view->network,
    .radius = view->person.splat.details.radius,
    .splats = view->person.splat.splats,
    .queue = view->queue };
}

void
am_avatar_view_reset (AmAvatarView *view)
{
  static const float zero = 0;

  ak_upload (view->queue, view->started, &zero, sizeof zero);
}

void
am_avatar_view_set_background (AmAvatarView *view, uint32_t argb)
{
  view->argb = argb;
}

/* Everything up to rgba. */
static AkStatus
run (AmAvatarView *view, const float *motion, gboolean straight, const atomic_int *cancel)
{
  const AmBound *bound = view->model->info.needs_person ? NULL : &view->model->bound;
  float background[4] = { (float) (view->argb >> 16 & 255) / 255,
    (float) (view->argb >> 8 & 255) / 255, (float) (view->argb & 255) / 255, !straight };
  AmCamera camera;
  AkStatus status;

  am_head_pose_input (view->head, motion, bound != NULL, view->in);
  if (bound)
    am_camera_fixed (
        &camera, (const float[12]){ -1, 0, 0, 0, 0, 1, 0, 0, 0, 0, -1, bound->distance });
  else
    am_camera_frame (
        &camera, view->person.avatar->transform, motion + am_head_info (view->head)->expressions);
  memcpy (view->in + view->n_in, camera.view, sizeof camera.view);
  memcpy (view->in + view->n_in + 16, camera.projection, sizeof camera.projection);
  status = ak_upload (view->queue, view->dev_in, view->in, (view->n_in + 32) * sizeof (float));
  if (status == AK_OK)
    status = ak_upload (view->queue, view->background, background, sizeof background);
  if (status == AK_OK)
    status = ak_plan_run (view->person.plan, view->queue, cancel);
  if (status == AK_OK)
    status = ak_plan_run (view->draw, view->queue, cancel);
  return status;
}

gboolean
am_avatar_view_run (AmAvatarView *view, const float *motion, gboolean straight, float *rgba,
    const atomic_int *cancel, GError **error)
{
  size_t bytes = 4 * sizeof *rgba * view->side * view->side;
  AkStatus status = run (view, motion, straight, cancel);

  if (status == AK_OK && rgba)
    status = ak_download (view->queue, rgba, view->rgba, bytes);
  if (status == AK_OK)
    status = ak_queue_sync (view->queue);
  return am_error_from_status (status, "drawing the avatar", error);
}

/* Makes the last plan fit the picture. */
static AkStatus
record_out (AmAvatarView *view, const AmPicture *picture)
{
  AkPicture *p = &view->picture;
  unsigned side = MIN (picture->width, picture->height);
  AkRows x = ak_dense (view->rgba, (size_t) view->side * view->side, 4);
  AkStatus status;

  if (view->out && (int) p->pixels == (int) picture->pixels && p->width == picture->width &&
      p->height == picture->height && p->on_device == picture->on_device &&
      p->pinned == picture->pinned)
    return AK_OK;
  g_clear_pointer (&view->out, ak_plan_free);
  p->pixels = (AkPixels) picture->pixels;
  p->on_device = picture->on_device;
  p->pinned = picture->pinned;
  p->width = picture->width;
  p->height = picture->height;
  if (p->width < 1 || p->height < 1 || p->width > AK_PICTURE_MAX || p->height > AK_PICTURE_MAX)
    return AK_ERR_ARG;
  view->out = ak_plan_new (view->model->device);
  if (!view->out)
    return AK_ERR_MEMORY;
  view->filled = ~0u; /* no colour's value, see fill() */
  view->bytes = ak_plan_memory (view->out, 4 * (size_t) p->width * p->height);
  if (side != view->side) {
    AkRows y = rows_new (view->out, (size_t) side * side, 4);

    ak_resize2d (view->out, &(AkResize2d){ .y = y,
                                .x = x,
                                .mode = side < view->side ? AK_RESIZE2D_SMOOTH : AK_RESIZE2D_LINEAR,
                                .batch = 1,
                                .in_height = view->side,
                                .in_width = view->side,
                                .out_height = side,
                                .out_width = side,
                                .channels = 4 });
    x = y;
  }
  /* the published program cuts, the built-in avatar was made for rounding */
  ak_bytes (view->out, &(AkBytes){ .rgba = view->bytes,
                           .x = x.data,
                           .width = p->width,
                           .height = p->height,
                           .side = side,
                           .round = view->model->info.needs_person ? 0 : 0.5f });
  ak_picture_write (view->out, p, view->bytes);
  status = ak_plan_finish (view->out);
  if (status != AK_OK)
    g_clear_pointer (&view->out, ak_plan_free);
  return status;
}

/* Puts the background around the square. */
static AkStatus
fill (AmAvatarView *view, gboolean straight)
{
  uint32_t want = (view->argb & 0xffffff) | (straight ? 0 : 0x1000000);
  size_t n = (size_t) view->picture.width * view->picture.height;
  g_autofree uint8_t *bytes = NULL;
  uint8_t pixel[4] = { (uint8_t) (want >> 16), (uint8_t) (want >> 8), (uint8_t) want,
    straight ? 0 : 255 };

  if (view->filled == want || view->picture.width == view->picture.height)
    return AK_OK;
  bytes = g_try_malloc (4 * n);
  if (!bytes)
    return AK_ERR_MEMORY;
  for (size_t i = 0; i < n; i++)
    memcpy (bytes + 4 * i, pixel, sizeof pixel);
  view->filled = want;
  return ak_upload (view->queue, view->bytes, bytes, 4 * n);
}

gboolean
am_avatar_view_draw (AmAvatarView *view, const float *motion, const AmPicture *picture,
    const atomic_int *cancel, GError **error)
{
  gboolean straight = picture->alpha && picture->pixels < AM_PIXELS_RGB;
  AkStatus status = record_out (view, picture);

  if (status == AK_OK)
    status = run (view, motion, straight, cancel);
  if (status == AK_OK)
    status = fill (view, straight);
  if (status == AK_OK) {
    view->picture.alpha = picture->alpha;
    view->picture.bt709 = picture->bt709;
    memcpy (view->picture.plane, picture->plane, sizeof view->picture.plane);
    memcpy (view->picture.stride, picture->stride, sizeof view->picture.stride);
    status = ak_plan_run (view->out, view->queue, cancel);
  }
  if (status == AK_OK)
    status = ak_queue_sync (view->queue);
  return am_error_from_status (status, "drawing the avatar", error);
}
