/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/splat.h"

typedef struct
{
  const char *name;
  size_t splats, channels;
  unsigned width, height;
  float scale;   /* of splats; means lie in ± 1 in front of a camera at 9.7 */
  float opacity; /* highest */
  float push;    /* added to the mean's z */
  int background;
  int hostile; /* values that no avatar has, in every fourth splat */
} Scene;

static const Scene scenes[] = {
  { "splats of a head", 3000, 32, 128, 128, 0.05f, 1, 0, 0, 0 },
  { "splats of 1 channel", 300, 1, 100, 60, 0.1f, 1, 0, 1, 0 },
  { "splats of 3 channels", 500, 3, 33, 47, 0.1f, 1, 0, 1, 0 },
  { "splats of 40 channels", 500, 40, 65, 16, 0.1f, 1, 0, 0, 0 },
  { "splats of 256 channels", 100, 256, 40, 40, 0.1f, 1, 0, 1, 0 },
  { "one splat", 1, 32, 64, 64, 0.2f, 1, 0, 0, 0 },
  { "splats on one pixel", 400, 5, 1, 1, 0.3f, 1, 0, 1, 0 },
  { "splats on one row", 400, 8, 200, 1, 0.3f, 1, 0, 1, 0 },
  { "no splats", 0, 4, 35, 21, 1, 1, 0, 1, 0 },
  { "no splats, no background", 0, 4, 35, 21, 1, 1, 0, 0, 0 },
  { "splats of no size", 2000, 8, 96, 96, 0, 1, 0, 0, 0 },
  { "faint splats, longer lists than a tile's", 6000, 4, 48, 32, 1, 0.02f, 0, 0, 0 },
  { "splats wider than the picture", 800, 6, 300, 40, 20, 0.1f, 0, 1, 0 },
  { "more splats than a node projects", 140000, 1, 16, 16, 0.02f, 1, 0, 0, 0 },
  { "splats behind the camera", 300, 4, 40, 40, 0.1f, 1, -12, 1, 0 },
  { "splats around the camera", 2000, 4, 64, 64, 0.1f, 1, -9.4f, 1, 0 },
  { "hostile splats", 4000, 9, 90, 70, 0.1f, 0.5f, 0, 1, 1 },
  { "only hostile splats", 3000, 16, 64, 64, 0.1f, 1, 0, 1, 2 },
};

/* A scene's inputs in host memory: NULL where there are none. */
typedef struct
{
  const Scene *scene;
  float rest;
  size_t half_first;
  float *means, *scales, *rotations, *opacities, *colors, *background, *view, *projection;
} Case;

/* What a device made of it, in host memory. */
typedef struct
{
  float *image, *transmittance;
  float *half; /* or NULL */
  int32_t *radius, *tiles, *contributions;
} Result;

static float
next (Check *t)
{
  t->seed = t->seed * 6364136223846793005u + 1442695040888963407u;
  return (float) ((double) (t->seed >> 40) / 8388608.0 - 1.0);
}

static float *
values (Check *t, size_t n, float scale)
{
  float *v = malloc ((n + 1) * sizeof *v);

  for (size_t i = 0; i < n; i++)
    v[i] = scale * next (t);
  return v;
}

static void
make_hostile (Check *t, Case *c)
{
  static const float odd[] = { NAN, INFINITY, -INFINITY, 0, -0.0f, 3e38f, -3e38f, 1e-38f, 1e20f,
    -1e15f, 1e10f, 1e7f, -1e5f, 1e4f, 300, -40, 1e-20f, 1.0f / 255, 1, 2 };
  const size_t kinds = sizeof odd / sizeof *odd;

  for (size_t i = 0; i < c->scene->splats; i++) {
    float value = odd[(size_t) (fabsf (next (t)) * 0.9999f * (float) kinds)];
    size_t at = (size_t) (fabsf (next (t)) * 2.999f);

    if (c->scene->hostile == 1 && i % 4)
      continue;
    switch (i / 4 % 5) {
      case 0:
        c->means[3 * i + at] = value;
        break;
      case 1:
        c->scales[3 * i + at] = value;
        break;
      case 2:
        c->rotations[4 * i + at] = value;
        break;
      case 3:
        c->opacities[i] = value;
        break;
      default:
        c->scales[3 * i] = c->scales[3 * i + 1] = value;
        c->opacities[i] *= 0.2f;
        break;
    }
  }
}

/* A camera at 9.7 units, looking along z. */
static void
make_camera (Case *c)
{
  c->view = calloc (16, sizeof *c->view);
  c->projection = calloc (16, sizeof *c->projection);
  for (int i = 0; i < 4; i++)
    c->view[5 * i] = 1;
  c->view[14] = c->projection[14] = c->projection[15] = 9.7f;
  c->projection[0] = c->projection[5] = 12;
  c->projection[10] = c->projection[11] = 1;
}

static void
make_case (Check *t, Case *c)
{
  const Scene *s = c->scene;
  size_t n = s->splats;

  make_camera (c);
  c->means = values (t, 3 * n, 1);
  c->scales = values (t, 3 * n, s->scale);
  c->rotations = values (t, 4 * n, 1);
  c->opacities = values (t, n, s->opacity);
  c->colors = values (t, n * s->channels, 2);
  c->background = s->background ? values (t, s->channels, 2) : NULL;
  for (size_t i = 0; i < n; i++) {
    c->means[3 * i + 2] += s->push;
    c->opacities[i] = fabsf (c->opacities[i]);
  }
  for (size_t i = 0; i + 1 < n; i += 7) /* equal depths */
    c->means[3 * i + 5] = c->means[3 * i + 2];
  if (s->hostile)
    make_hostile (t, c);
}

static void
clear_case (Case *c)
{
  free (c->means);
  free (c->scales);
  free (c->rotations);
  free (c->opacities);
  free (c->colors);
  free (c->background);
  free (c->view);
  free (c->projection);
}

#define GUARD 64
#define GUARD_VALUE 12345.0f

static float *
upload (AkPlan *plan, AkQueue *queue, const float *values, size_t n)
{
  float *to = ak_plan_memory (plan, n * sizeof *to);

  if (!values)
    return NULL;
  ak_upload (queue, to, values, n * sizeof *to);
  return to;
}

/* Device memory between guard bands. */
static float *
output (AkPlan *plan, AkQueue *queue, uint32_t values)
{
  size_t n = values;
  float *host = calloc (n + 2 * GUARD, sizeof *host), *to;

  for (size_t i = 0; i < n + 2 * GUARD; i++)
    host[i] = GUARD_VALUE;
  to = upload (plan, queue, host, n + 2 * GUARD);
  free (host);
  return to + GUARD;
}

static void *
fetch (Check *t, const char *what, AkQueue *queue, const void *from, size_t n)
{
  float *host = calloc (n + 2 * GUARD, sizeof *host);

  ak_download (queue, host, (const float *) from - GUARD, (n + 2 * GUARD) * sizeof *host);
  ak_queue_sync (queue);
  for (size_t i = 0; i < GUARD; i++)
    if (host[i] != GUARD_VALUE || host[GUARD + n + i] != GUARD_VALUE) {
      printf ("%s: FAILED: written beyond an output\n", what);
      t->failures++;
      break;
    }
  memmove (host, host + GUARD, n * sizeof *host);
  return host;
}

static Result
draw (Check *t, AkDevice *dev, const Case *c, int details, int half)
{
  const Scene *s = c->scene;
  size_t n = s->splats, pixels = (size_t) s->width * s->height;
  size_t shown = half ? AK_SPLAT_FRONT : s->channels;
  AkPlan *plan = ak_plan_new (dev);
  AkQueue *q = ak_queue_new (dev);
  AkSplat a = { .image = output (plan, q, pixels * shown),
    .half = half ? output (plan, q, pixels / 4 * s->channels) : NULL,
    .transmittance = output (plan, q, pixels),
    .means = upload (plan, q, c->means, 3 * n),
    .scales = upload (plan, q, c->scales, 3 * n),
    .rotations = upload (plan, q, c->rotations, 4 * n),
    .opacities = upload (plan, q, c->opacities, n),
    .colors = upload (plan, q, c->colors, n * s->channels),
    .view = upload (plan, q, c->view, 16),
    .projection = upload (plan, q, c->projection, 16),
    .background = upload (plan, q, c->background, s->channels),
    .splats = n,
    .channels = s->channels,
    .half_first = half ? c->half_first : 0,
    .width = s->width,
    .height = s->height,
    .tan_fov_x = 1.0f / 12,
    .tan_fov_y = 1.0f / 12,
    .rest = c->rest };
  AkSplatDetails *d = &a.details;
  Result r = { 0 };
  AkStatus status;

  if (details) {
    d->radius = (int32_t *) output (plan, q, n);
    d->tiles = (int32_t *) output (plan, q, 4 * n);
    d->contributions = (int32_t *) output (plan, q, pixels);
  }
  ak_splat (plan, &a);
  status = ak_plan_finish (plan);
  /* the second run shows what the first left behind */
  for (int run = 0; run < 2 && status == AK_OK; run++)
    status = ak_plan_run (plan, q, NULL);
  if (status == AK_OK)
    status = ak_queue_sync (q);
  if (status != AK_OK) {
    printf ("%s: FAILED on %s: %s\n", s->name, ak_device_name (dev), ak_status_text (status));
    t->failures++;
  }
  r.image = fetch (t, s->name, q, a.image, pixels * shown);
  if (half)
    r.half = fetch (t, s->name, q, a.half, pixels / 4 * s->channels);
  r.transmittance = fetch (t, s->name, q, a.transmittance, pixels);
  if (details) {
    r.radius = fetch (t, s->name, q, d->radius, n);
    r.tiles = fetch (t, s->name, q, d->tiles, 4 * n);
    r.contributions = fetch (t, s->name, q, d->contributions, pixels);
  }
  ak_queue_free (q);
  ak_plan_free (plan);
  return r;
}

static void
clear_result (Result *r)
{
  free (r->image);
  free (r->half);
  free (r->transmittance);
  free (r->radius);
  free (r->tiles);
  free (r->contributions);
}

static void
check_true (Check *t, const Scene *s, const char *what, int good)
{
  t->checks++;
  if (!good) {
    printf ("%s: FAILED: %s\n", s->name, what);
    t->failures++;
  }
}

/* How many of the pixels differ by more than 3e-5 (1 + |plain|) in a value, where only rounding may have turned a
 * decision; *worst: by how much. NaN counts as infinity. */
static size_t
count_off (const float *plain, const float *dev, size_t pixels, size_t channels, double *worst)
{
  size_t off = 0;

  for (size_t p = 0; p < pixels; p++) {
    double most = 0;

    for (size_t c = 0; c < channels; c++) {
      double a = plain[p * channels + c], e = fabs (dev[p * channels + c] - a) / (1 + fabs (a));

      most = e <= most ? most : e < 1e30 ? e : INFINITY;
    }
    off += most > 3e-5;
    *worst = most > *worst ? most : *worst;
  }
  return off;
}

static void
compare (Check *t, const Scene *s, const Result *plain, const Result *dev)
{
  size_t n = s->splats, pixels = (size_t) s->width * s->height, off, other = 0;
  double worst = 0;

  off = count_off (plain->image, dev->image, pixels, s->channels, &worst);
  off += count_off (plain->transmittance, dev->transmittance, pixels, 1, &worst);
  for (size_t p = 0; p < pixels; p++)
    other += plain->contributions[p] != dev->contributions[p];
  if (getenv ("CHECK_VERBOSE"))
    printf ("%s: %zu pixels of %zu off, worst %.2g, %zu other last splats\n", s->name, off, pixels,
        worst, other);
  check_true (t, s, "too many pixels are off", off <= 1 + pixels / 500);
  check_true (t, s, "a pixel is too far off", worst <= 0.03);
  check_true (t, s, "too many last splats differ", other <= 1 + pixels / 500);
  check_true (t, s, "radii differ", n == 0 || !memcmp (plain->radius, dev->radius, 4 * n));
  check_true (t, s, "tiles differ", n == 0 || !memcmp (plain->tiles, dev->tiles, 16 * n));
}

/* Counting places, and other threads, must not change a bit. */
static void
compare_same (Check *t, const Case *c, AkDevice *dev, const Result *want, const char *what)
{
  const Scene *s = c->scene;
  size_t pixels = (size_t) s->width * s->height;
  Result r = draw (t, dev, c, 0, want->half != NULL);
  size_t shown = want->half ? AK_SPLAT_FRONT : s->channels;

  check_true (t, s, what,
      !memcmp (r.image, want->image, pixels * shown * sizeof (float)) &&
          (!want->half ||
              !memcmp (r.half, want->half, pixels / 4 * s->channels * sizeof (float))) &&
          !memcmp (r.transmittance, want->transmittance, pixels * sizeof (float)));
  clear_result (&r);
}

/* Without the first channels of `half` everything else is the same. */
static void
check_half_first (Check *t, const Case *c, AkDevice *dev, const Result *want)
{
  const Scene *s = c->scene;
  size_t C = s->channels, pixels = (size_t) s->width * s->height, other = 0;
  Case less = *c;
  Result r;

  less.half_first = C > AK_SPLAT_FRONT ? AK_SPLAT_FRONT : C - 1;
  r = draw (t, dev, &less, 0, 1);
  for (size_t i = 0; i < pixels / 4 * C; i++)
    other += i % C >= less.half_first && r.half[i] != want->half[i];
  check_true (t, s, "without the first channels of half the size: another picture",
      other == 0 && !memcmp (r.image, want->image, pixels * AK_SPLAT_FRONT * sizeof (float)) &&
          !memcmp (r.transmittance, want->transmittance, pixels * sizeof (float)));
  clear_result (&r);
}

/* With `half`: the picture's first channels and the means of 2×2, against the whole picture's. */
static void
check_half (Check *t, const Case *c, AkDevice *dev, AkDevice *other, const Result *whole)
{
  const Scene *s = c->scene;
  size_t C = s->channels, pixels = (size_t) s->width * s->height, off;
  float *front, *half;
  double worst = 0;
  Result r;

  if (s->width % 2 || s->height % 2 || C < AK_SPLAT_FRONT)
    return;
  front = calloc (pixels * AK_SPLAT_FRONT, sizeof *front);
  half = calloc (pixels / 4 * C, sizeof *half);
  for (size_t i = 0; i < pixels * AK_SPLAT_FRONT; i++)
    front[i] = whole->image[i / AK_SPLAT_FRONT * C + i % AK_SPLAT_FRONT];
  for (size_t i = 0; i < pixels / 4 * C; i++) {
    size_t x = i / C % (s->width / 2), y = i / C / (s->width / 2);
    const float *at = whole->image + (2 * y * s->width + 2 * x) * C + i % C;

    half[i] = (float) (((double) at[0] + at[C] + at[s->width * C] + at[(s->width + 1) * C]) / 4);
  }
  r = draw (t, dev, c, 1, 1);
  off = count_off (front, r.image, pixels, AK_SPLAT_FRONT, &worst);
  off += count_off (half, r.half, pixels / 4, C, &worst);
  off += count_off (whole->transmittance, r.transmittance, pixels, 1, &worst);
  check_true (t, s, "half the size: a pixel is off", off == 0);
  check_true (t, s, "half the size: other last splats",
      !memcmp (whole->contributions, r.contributions, pixels * sizeof *r.contributions));
  compare_same (t, c, dev, &r, "counting places changes the picture of half the size");
  if (other)
    compare_same (t, c, other, &r, "three threads draw another picture of half the size");
  check_half_first (t, c, dev, &r);
  clear_result (&r);
  free (front);
  free (half);
}

/* The door refuses what the contract does. */
static void
check_arguments (Check *t)
{
  float x[32] = { 0 };
  const AkSplat good = { .image = x,
    .means = x,
    .scales = x,
    .rotations = x,
    .opacities = x,
    .colors = x,
    .view = x,
    .projection = x,
    .splats = 1,
    .channels = 1,
    .width = 1,
    .height = 1,
    .tan_fov_x = 1,
    .tan_fov_y = 1 };
  AkSplat bad[19];
  const size_t n = sizeof bad / sizeof *bad;

  for (size_t i = 0; i < n; i++)
    bad[i] = good;
  bad[0].image = NULL;
  bad[1].means = NULL;
  bad[2].colors = NULL;
  bad[3].view = NULL;
  bad[4].splats = AK_SPLAT_MAX + (size_t) 1;
  bad[5].channels = 0;
  bad[6].channels = AK_SPLAT_CHANNELS_MAX + 1;
  bad[7].width = 0;
  bad[8].height = 1u << 31;
  bad[9].tan_fov_x = NAN;
  bad[10].tan_fov_y = -1;
  bad[11].tan_fov_y = INFINITY;
  bad[15].rest = -0.1f;
  bad[16].rest = NAN;
  bad[17].half_first = 1;
  bad[18].half = x;
  bad[18].channels = bad[18].half_first = AK_SPLAT_FRONT;
  bad[18].width = bad[18].height = 2;
  for (size_t i = 12; i < 15; i++) {
    bad[i].half = x;
    bad[i].channels = i == 12 ? AK_SPLAT_FRONT - 1 : AK_SPLAT_FRONT;
    bad[i].width = i == 13 ? 3 : 2;
    bad[i].height = i == 14 ? 3 : 2;
  }
  for (size_t i = 0; i <= n; i++) {
    AkPlan *plan = ak_plan_new (t->dev);

    ak_splat (plan, i < n ? bad + i : &good);
    t->checks++;
    if (ak_plan_finish (plan) != (i < n ? AK_ERR_ARG : AK_OK)) {
      printf ("splat arguments %zu: FAILED\n", i);
      t->failures++;
    }
    ak_plan_free (plan);
  }
}

static void
check_scene (Check *t, Case *c, AkDevice *other)
{
  Result plain = draw (t, t->plain, c, 1, 0), dev = draw (t, t->dev, c, 1, 0);

  compare (t, c->scene, &plain, &dev);
  compare_same (t, c, t->plain, &plain, "counting places changes the plain picture");
  compare_same (t, c, t->dev, &dev, "counting places changes the picture");
  if (other)
    compare_same (t, c, other, &dev, "three threads draw another picture");
  check_half (t, c, t->plain, NULL, &plain);
  check_half (t, c, t->dev, other, &dev);
  clear_result (&plain);
  clear_result (&dev);
}

void
check_splat (Check *t)
{
  AkStatus status;
  AkDevice *other = ak_device_open (t->device, 3, &status);

  check_arguments (t);
  for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++) {
    Case c = { .scene = scenes + i };

    make_case (t, &c);
    check_scene (t, &c, other);
    c.rest = i % 2 ? 1.0f / 255 : 0.1f;
    check_scene (t, &c, other);
    clear_case (&c);
  }
  ak_device_unref (other);
}
