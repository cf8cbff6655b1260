/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frames per second of drawing an avatar's splats: 180,255 of 32 channels on 512×512 pixels, spread as those of a
 * published avatar are, some 4 million pairs of splat and tile. The limit is what the additions of colours that
 * a pixel really sees would take at the speed of multiplying and adding measured in the same run, so it has nothing
 * of projection, sorting, exponentials and memory in it.
 *
 * splat-bench [--device=NAME] [--threads=N] [--frames=N] */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/splat.h"

#define N 180255
#define CHANNELS 32
#define SIDE 512
#define TILES (SIDE / AK_SPLAT_TILE)

static uint64_t state = 1;

/* 0 … 1 */
static double
uniform (void)
{
  uint64_t z = state += 0x9E3779B97F4A7C15u;

  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return (double) ((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

static double
normal (void)
{
  return sqrt (-2 * log (1 - uniform ())) * cos (6.283185307179586 * uniform ());
}

static double
now (clockid_t clock)
{
  struct timespec t;

  clock_gettime (clock, &t);
  return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static float *
memory (AkPlan *plan, size_t floats)
{
  float *p = ak_plan_memory (plan, floats * sizeof *p);

  if (!p) {
    fprintf (stderr, "out of memory\n");
    exit (1);
  }
  return p;
}

/* A camera at 9.7 units with the avatar's field of view, looking along z. */
static void
set_camera (float *view, float *projection)
{
  const float far = 100, near = 0.01f;

  for (int i = 0; i < 4; i++)
    view[5 * i] = 1;
  view[14] = 9.7f;
  projection[0] = projection[5] = 12;
  projection[10] = far / (far - near);
  projection[11] = 1;
  projection[14] = 9.7f * projection[10] - near * far / (far - near);
  projection[15] = 9.7f;
}

/* The first 5023 lie on a head, the others on two planes that are pushed in and out. */
static void
set_splats (float *means, float *scales, float *rotations, float *opacities, float *colors)
{
  for (size_t i = 0; i < N; i++) {
    double turn = 6.283185307179586 * uniform (), height = 2 * uniform () - 1;
    double q[4], length;

    for (size_t k = 0; k < 3; k++)
      means[3 * i + k] = (float) (k == 2 ? -0.3 + 0.45 * normal () : 1.7 * uniform () - 0.85);
    if (i < 5023) {
      means[3 * i] = (float) (0.6 * sqrt (1 - height * height) * cos (turn));
      means[3 * i + 1] = (float) (0.8 * height);
      means[3 * i + 2] = (float) (0.6 * sqrt (1 - height * height) * sin (turn));
    }
    for (size_t k = 0; k < 3; k++)
      scales[3 * i + k] = (float) (0.05 / (1 + exp (-0.1 - 1.3 * normal ())));
    for (size_t k = 0; k < 4; k++)
      q[k] = normal ();
    length = sqrt (q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]);
    for (size_t k = 0; k < 4; k++)
      rotations[4 * i + k] = (float) (q[k] / length);
    opacities[i] = (float) (1 / (1 + exp (1 - 1.9 * normal ())));
    for (size_t k = 0; k < CHANNELS; k++)
      colors[CHANNELS * i + k] = (float) normal ();
  }
}

/* What one drawing told about its splats. */
typedef struct
{
  int32_t *radius, *tiles;
  float *center, *conic, *depth, *opacities;
} Seen;

static const float *sort_depth;

static int
compare_depth (const void *a, const void *b)
{
  uint32_t i = *(const uint32_t *) a, j = *(const uint32_t *) b;

  if (sort_depth[i] != sort_depth[j])
    return sort_depth[i] < sort_depth[j] ? -1 : 1;
  return (i > j) - (i < j);
}

/* How many splats the pixels of a tile show, from a list in order of depth. */
static double
count_tile (const Seen *s, const uint32_t *list, size_t n, unsigned tx, unsigned ty)
{
  double used = 0;

  for (unsigned p = 0; p < 256; p++) {
    float x = (float) (16 * tx + p % 16), y = (float) (16 * ty + p / 16), left = 1;

    for (size_t k = 0; k < n; k++) {
      uint32_t i = list[k];
      float dx = s->center[2 * i] - x, dy = s->center[2 * i + 1] - y;
      float power = -0.5f * (s->conic[3 * i] * dx * dx + s->conic[3 * i + 2] * dy * dy) -
                    s->conic[3 * i + 1] * dx * dy;
      float alpha = power < -20 ? 0 : fminf (0.99f, s->opacities[i] * expf (power));

      if (alpha < 1.0f / 255)
        continue;
      if (left * (1 - alpha) < 1e-4f)
        break;
      left *= 1 - alpha;
      used++;
    }
  }
  return used;
}

/* Pairs of pixel and splat seen there; *entries: pairs of tile and splat covering it. */
static double
count_pairs (const Seen *s, double *entries)
{
  uint32_t *order = malloc (2 * N * sizeof *order), *list = order + N;
  double pairs = 0;

  *entries = 0;
  for (uint32_t i = 0; i < N; i++)
    order[i] = i;
  sort_depth = s->depth;
  qsort (order, N, sizeof *order, compare_depth);
  for (int ty = 0; ty < TILES; ty++)
    for (int tx = 0; tx < TILES; tx++) {
      size_t n = 0;

      for (size_t k = 0; k < N; k++) {
        const int32_t *t = s->tiles + 4 * (size_t) order[k];

        if (t[0] <= tx && t[1] <= ty && t[2] > tx && t[3] > ty)
          list[n++] = order[k];
      }
      *entries += (double) n;
      pairs += count_tile (s, list, n, (unsigned) tx, (unsigned) ty);
    }
  free (order);
  return pairs;
}

#if defined(__x86_64__)
#include <immintrin.h>

/* Multiply-adds a second on one thread, of its own time. */
__attribute__ ((target ("avx2,fma"))) static double
fma_speed (void)
{
  __m256 sum[10], factor = _mm256_set1_ps (0.999f), total = _mm256_setzero_ps ();
  double best = 0;
  volatile float keep;

  for (int run = 0; run < 20; run++) {
    double start = now (CLOCK_THREAD_CPUTIME_ID), speed;

    for (int k = 0; k < 10; k++)
      sum[k] = factor;
    for (int i = 0; i < 500000; i++)
#pragma GCC unroll 10
      for (int k = 0; k < 10; k++)
        sum[k] = _mm256_fmadd_ps (sum[k], factor, factor);
    for (int k = 0; k < 10; k++)
      total = _mm256_add_ps (total, sum[k]);
    speed = 8 * 10 * 500000.0 / (now (CLOCK_THREAD_CPUTIME_ID) - start);
    best = speed > best ? speed : best;
  }
  keep = _mm256_cvtss_f32 (total);
  (void) keep;
  return best;
}
#else
static double
fma_speed (void)
{
  return NAN;
}
#endif

static int
compare_doubles (const void *a, const void *b)
{
  double x = *(const double *) a, y = *(const double *) b;

  return (x > y) - (x < y);
}

/* `limit`: frames a second of one thread. */
static void
report (const char *what, unsigned threads, double seconds, double limit)
{
  printf ("splats, %s: %.2f frames/s (%.3f of the limit)\n", what, 1 / seconds,
      1 / (seconds * limit * threads));
}

int
main (int argc, char **argv)
{
  const char *device = "cpu";
  unsigned threads = 0, frames = 15;
  double entries, pairs, limit, wall[256], time[256];
  AkStatus status;
  AkDevice *dev;
  AkQueue *queue;
  AkPlan *plan, *fast;
  AkSplat a = { 0 };
  AkSplatDetails *d = &a.details;
  float *means, *scales, *rotations, *opacities, *colors, *view, *projection;
  Seen seen;

  for (int i = 1; i < argc; i++) {
    if (strncmp (argv[i], "--device=", 9) == 0)
      device = argv[i] + 9;
    else if (strncmp (argv[i], "--threads=", 10) == 0)
      threads = (unsigned) atoi (argv[i] + 10);
    else if (strncmp (argv[i], "--frames=", 9) == 0)
      frames = (unsigned) atoi (argv[i] + 9);
    else
      return 2;
  }
  frames = frames < 1 ? 1 : frames > 256 ? 256 : frames;
  dev = ak_device_open (device, threads, &status);
  if (!dev || strncmp (device, "cpu", 3) != 0) { /* the splats are written and read in place */
    printf ("SKIPPED: no device %s\n", device);
    ak_device_unref (dev);
    return 77;
  }
  queue = ak_queue_new (dev);
  plan = ak_plan_new (dev);
  fast = ak_plan_new (dev);
  a.means = means = memory (plan, 3 * N);
  a.scales = scales = memory (plan, 3 * N);
  a.rotations = rotations = memory (plan, 4 * N);
  a.opacities = opacities = memory (plan, N);
  a.colors = colors = memory (plan, N * CHANNELS);
  a.view = view = memory (plan, 16);
  a.projection = projection = memory (plan, 16);
  a.image = memory (plan, SIDE * SIDE * CHANNELS);
  a.splats = N;
  a.channels = CHANNELS;
  a.width = a.height = SIDE;
  a.tan_fov_x = a.tan_fov_y = 1.0f / 12;
  set_camera (view, projection);
  set_splats (means, scales, rotations, opacities, colors);
  ak_splat (fast, &a);
  d->radius = (int32_t *) memory (plan, N);
  d->tiles = (int32_t *) memory (plan, 4 * N);
  d->center = memory (plan, 2 * N);
  d->conic = memory (plan, 3 * N);
  d->depth = memory (plan, N);
  seen = (Seen){ d->radius, d->tiles, d->center, d->conic, d->depth, opacities };
  ak_splat (plan, &a);
  if (ak_plan_finish (plan) != AK_OK || ak_plan_finish (fast) != AK_OK)
    return 1;
  ak_plan_run (plan, queue, NULL);
  pairs = count_pairs (&seen, &entries);
  for (unsigned i = 0; i < frames; i++) {
    double w = now (CLOCK_MONOTONIC), t = now (CLOCK_PROCESS_CPUTIME_ID);

    ak_plan_run (fast, queue, NULL);
    wall[i] = now (CLOCK_MONOTONIC) - w;
    time[i] = now (CLOCK_PROCESS_CPUTIME_ID) - t;
  }
  qsort (wall, frames, sizeof *wall, compare_doubles);
  qsort (time, frames, sizeof *time, compare_doubles);
  limit = fma_speed () / (pairs * CHANNELS); /* frames a second of one thread */
  printf ("splats: %.2f M entries of tiles, %.1f M pairs of pixel and splat seen, %.2f G "
          "multiply-adds, "
          "limit %.1f frames/s a thread\n",
      1e-6 * entries, 1e-6 * pairs, 1e-9 * pairs * CHANNELS, limit);
  report ("processor time, median", 1, time[frames / 2], limit);
  report ("processor time, best", 1, time[0], limit);
  report ("median", ak_device_threads (dev), wall[frames / 2], limit);
  report ("best", ak_device_threads (dev), wall[0], limit);
  ak_plan_free (fast);
  ak_plan_free (plan);
  ak_queue_free (queue);
  ak_device_unref (dev);
  return 0;
}
