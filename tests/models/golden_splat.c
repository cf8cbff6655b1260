/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Gaussian splats: pictures, and what became of each splat, against the published arithmetic in doubles. */
#include "golden.h"

#include "kernels/splat.h"

#include <math.h>
#include <string.h>

/* One drawing's results in host memory. */
typedef struct
{
  float *image, *transmittance, *center, *conic, *depth;
  int32_t *radius, *tiles, *contributions;
} Drawn;

static void
drawn_clear (Drawn *d)
{
  g_free (d->image);
  g_free (d->transmittance);
  g_free (d->center);
  g_free (d->conic);
  g_free (d->depth);
  g_free (d->radius);
  g_free (d->tiles);
  g_free (d->contributions);
}

/* The tensor in the plan's memory, or NULL where it is missing or of another size. */
static const float *
upload (AkPlan *plan, AkQueue *queue, const AmWeights *io, const char *name, size_t n)
{
  const AmTensor *t = am_weights_find (io, name);
  g_autofree float *values = t && t->n == n ? am_tensor_to_f32 (t) : NULL;
  float *to = values ? ak_plan_memory (plan, n * sizeof *to) : NULL;

  if (to)
    ak_upload (queue, to, values, n * sizeof *to);
  return to;
}

/* Draws the case with details or without: the second may leave out more, as long as nobody can see it. */
static AkStatus
draw (Golden *g, const AmWeights *io, const AkSplat *sizes, gboolean details, Drawn *d)
{
  AkSplat a = *sizes;
  size_t pixels = (size_t) a.width * a.height, n = a.splats, values = pixels * a.channels;
  AkStatus status;
  AkDevice *dev = ak_device_open (g->device, g->threads, &status);
  AkQueue *queue = dev ? ak_queue_new (dev) : NULL;
  AkPlan *plan = dev ? ak_plan_new (dev) : NULL;

  if (queue && plan) {
    a.image = ak_plan_memory (plan, values * sizeof (float));
    a.means = upload (plan, queue, io, "means", 3 * n);
    a.scales = upload (plan, queue, io, "scales", 3 * n);
    a.rotations = upload (plan, queue, io, "rotations", 4 * n);
    a.opacities = upload (plan, queue, io, "opacities", n);
    a.colors = upload (plan, queue, io, "colors", n * a.channels);
    a.view = upload (plan, queue, io, "view", 16);
    a.projection = upload (plan, queue, io, "projection", 16);
    a.background = upload (plan, queue, io, "background", a.channels);
    if (details) {
      a.transmittance = ak_plan_memory (plan, pixels * sizeof (float));
      a.details = (AkSplatDetails){ .radius = ak_plan_memory (plan, n * sizeof (int32_t)),
        .tiles = ak_plan_memory (plan, 4 * n * sizeof (int32_t)),
        .center = ak_plan_memory (plan, 2 * n * sizeof (float)),
        .conic = ak_plan_memory (plan, 3 * n * sizeof (float)),
        .depth = ak_plan_memory (plan, n * sizeof (float)),
        .contributions = ak_plan_memory (plan, pixels * sizeof (int32_t)) };
    }
    ak_splat (plan, &a);
    status = ak_plan_finish (plan);
    /* the second run shows whether the first left anything behind */
    for (int run = 0; run < 2 && status == AK_OK; run++)
      status = ak_plan_run (plan, queue, NULL);
    if (status == AK_OK) {
      d->image = golden_fetch (queue, a.image, values);
      if (details) {
        d->transmittance = golden_fetch (queue, a.transmittance, pixels);
        d->center = golden_fetch (queue, a.details.center, 2 * n);
        d->conic = golden_fetch (queue, a.details.conic, 3 * n);
        d->depth = golden_fetch (queue, a.details.depth, n);
        d->radius = golden_fetch (queue, a.details.radius, n);
        d->tiles = golden_fetch (queue, a.details.tiles, 4 * n);
        d->contributions = golden_fetch (queue, a.details.contributions, pixels);
      }
      status = ak_queue_sync (queue);
    }
  }
  ak_plan_free (plan);
  ak_queue_free (queue);
  ak_device_unref (dev);
  return status;
}

/* Where a stored picture's pixels come from: every y_step-th row from y0, and so on. */
typedef struct
{
  unsigned x0, x_step, y0, y_step;
} Grid;

/* A stored picture [channels][height][width] against ours [height][width][all]. */
static void
compare_picture (GoldenCase *c, const char *name, const AmWeights *io, const AkSplat *a,
    const float *got, size_t all, Grid grid)
{
  const AmTensor *t = am_weights_find (io, name);
  size_t width = (a->width - grid.x0 + grid.x_step - 1) / grid.x_step;
  size_t height = (a->height - grid.y0 + grid.y_step - 1) / grid.y_step;
  size_t pixels = width * height, channels, over = 0;
  double total = 0, worst = 0, storage;
  g_autofree float *want = NULL;
  g_autofree char *mean = g_strconcat (name, ", mean", NULL);
  g_autofree char *many = g_strconcat (name, ", pixels over 1e-4", NULL);
  g_autofree char *most = g_strconcat (name, ", worst", NULL);

  if (!t)
    return;
  channels = t->n / pixels;
  if (t->n % pixels || channels < 1 || channels > all) {
    golden_compare_error (c, name, NAN, 1);
    return;
  }
  want = am_tensor_to_f32 (t);
  storage = t->dtype == AM_F16 ? 1.0 / 2048 : 0;
  for (size_t p = 0; p < pixels; p++) {
    size_t x = grid.x0 + p % width * grid.x_step, y = grid.y0 + p / width * grid.y_step;
    double off = 0;

    for (size_t k = 0; k < channels; k++) {
      double w = want[k * pixels + p];
      double e = fabs (got[(y * a->width + x) * all + k] - w) - storage * fabs (w);

      if (!(e <= 1e30))
        off = INFINITY;
      total += e > 0 ? e : 0;
      off = e > off ? e : off;
    }
    over += off > 1e-4;
    worst = off > worst ? off : worst;
  }
  golden_compare_error (c, mean, total / (double) t->n, 2e-6);
  golden_compare_error (c, many, (double) over / (double) pixels, 1e-3);
  golden_compare_error (c, most, worst, 0.05);
}

/* Whole numbers, which may differ in a thousandth of the places. */
static void
compare_whole (GoldenCase *c, const char *name, const AmWeights *io, const int32_t *got, size_t n)
{
  const AmTensor *t = am_weights_find (io, name);
  g_autofree int64_t *want = t && t->n == n ? am_tensor_to_i64 (t) : NULL;
  size_t wrong = 0;

  for (size_t i = 0; want && i < n; i++)
    wrong += got[i] != want[i];
  golden_compare_error (c, name, want ? (double) wrong / (double) MAX (n, 1) : NAN, 1e-3);
}

/* Numbers of the splats that are drawn; `tol` is relative to 1 + |want|. */
static void
compare_drawn (GoldenCase *c, const char *name, const AmWeights *io, const Drawn *d,
    const float *got, size_t splats, size_t per, double tol)
{
  const AmTensor *t = am_weights_find (io, name);
  g_autofree float *want = t && t->n == splats * per ? am_tensor_to_f32 (t) : NULL;
  double worst = want ? 0 : NAN;

  for (size_t i = 0; want && i < splats * per; i++)
    if (d->radius[i / per] > 0) {
      double e = fabs ((double) got[i] - want[i]) / (1 + fabs (want[i]));

      worst = e <= worst ? worst : e; /* keeps a NaN */
    }
  golden_compare_error (c, name, worst, tol);
}

static void
run_case (GoldenCase *c, const AmWeights *io, JsonObject *sizes)
{
  AkSplat a = { 0 };
  Drawn with = { 0 }, without = { 0 };
  AkStatus status;
  size_t pixels;

  a.width = (unsigned) json_object_get_int_member_with_default (sizes, "width", 0);
  a.height = (unsigned) json_object_get_int_member_with_default (sizes, "height", 0);
  a.channels = (size_t) json_object_get_int_member_with_default (sizes, "channels", 0);
  a.splats = (size_t) json_object_get_int_member_with_default (sizes, "gaussians", 0);
  a.tan_fov_x = (float) json_object_get_double_member_with_default (sizes, "tan_fov_x", 0);
  a.tan_fov_y = (float) json_object_get_double_member_with_default (sizes, "tan_fov_y", 0);
  pixels = (size_t) a.width * a.height;
  status = draw (c->golden, io, &a, TRUE, &with);
  if (status == AK_OK)
    status = draw (c->golden, io, &a, FALSE, &without);
  if (status != AK_OK) {
    golden_fail (c, "%s", ak_status_text (status));
  } else {
    const Grid whole = { 0, 1, 0, 1 }, sparse = { 2, 4, 1, 4 };

    if (!am_weights_find (io, "image") && !am_weights_find (io, "image_stride4"))
      golden_compare_error (c, "image", NAN, 1);
    compare_picture (c, "image", io, &a, with.image, a.channels, whole);
    compare_picture (c, "image", io, &a, without.image, a.channels, whole);
    compare_picture (c, "image_stride4", io, &a, with.image, a.channels, sparse);
    compare_picture (c, "image_stride4", io, &a, without.image, a.channels, sparse);
    compare_picture (c, "image_ch0_3", io, &a, without.image, a.channels, whole);
    compare_picture (c, "final_T", io, &a, with.transmittance, 1, whole);
    compare_whole (c, "n_contrib", io, with.contributions, pixels);
    compare_whole (c, "radii", io, with.radius, a.splats);
    compare_whole (c, "tile_rect", io, with.tiles, 4 * a.splats);
    compare_drawn (c, "mean2d", io, &with, with.center, a.splats, 2, 1e-6);
    compare_drawn (c, "conic", io, &with, with.conic, a.splats, 3, 1e-6);
    compare_drawn (c, "depth", io, &with, with.depth, a.splats, 1, 1e-6);
    golden_end (c);
  }
  drawn_clear (&with);
  drawn_clear (&without);
}

void
golden_splat (Golden *g, const char *dir)
{
  golden_cases (g, dir, "splat", run_case);
}
