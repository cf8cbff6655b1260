/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kernels-check [--device=NAME] [--threads=N] [--seed=N] [--only=GROUP,GROUP…] [--bench] */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/spans.h"

#define GUARD 64

static struct
{
  void *memory[64];
  AkMatrix *matrix[64];
  size_t n_memory, n_matrix;
} kept;

static float
next_random (Check *t)
{
  t->seed += 0x9E3779B97F4A7C15u;
  uint64_t z = t->seed;

  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  z ^= z >> 31;
  return (float) ((double) (z >> 40) / 8388608.0 - 1.0);
}

static float *
guarded (AkDevice *dev, const float *values, size_t n)
{
  float *p = ak_alloc (dev, (n + 2 * GUARD) * sizeof *p);
  AkQueue *q = ak_queue_new (dev);

  if (!p || !q) {
    fprintf (stderr, "out of memory\n");
    exit (1);
  }
  ak_upload (q, p, values, (n + 2 * GUARD) * sizeof *p);
  ak_queue_sync (q);
  ak_queue_free (q);
  kept.memory[kept.n_memory++] = p;
  return p + GUARD;
}

Pair
check_pair (Check *t, size_t n, float scale)
{
  float *values = malloc ((n + 2 * GUARD) * sizeof *values);
  Pair pair;

  for (size_t i = 0; i < n + 2 * GUARD; i++)
    values[i] = i < GUARD || i >= n + GUARD ? 12345.0f : scale * next_random (t);
  pair = (Pair){ guarded (t->plain, values, n), guarded (t->dev, values, n), n };
  free (values);
  return pair;
}

AkRows
check_rows (float *data, size_t row, size_t batch)
{
  return (AkRows){ data, row, batch };
}

/* To the nearest bfloat16. */
static float
rounded (float v)
{
  uint32_t u;

  memcpy (&u, &v, sizeof u);
  u = (u + 0x7fff + (u >> 16 & 1)) & 0xffff0000;
  memcpy (&v, &u, sizeof v);
  return v;
}

Pair
check_pair_bf16 (Check *t, size_t n, float scale)
{
  Pair p = check_pair (t, n, scale);
  AkQueue *q = ak_queue_new (t->dev);

  for (size_t i = 0; i < n; i++)
    p.plain[i] = rounded (p.plain[i]);
  ak_upload (q, p.dev, p.plain, n * sizeof *p.dev);
  ak_queue_sync (q);
  ak_queue_free (q);
  return p;
}

/* side 0: a matrix or a convolution along the rows */
static MatrixPair
matrix (Check *t, size_t out, size_t in, size_t kernel, size_t groups, size_t side,
    AkPrecision precision)
{
  size_t n = out * (in / groups) * kernel;
  float *values = malloc (n * sizeof *values);
  float scale = (float) sqrt (3.0 * (double) out / (double) n);
  MatrixPair m;
  AkStatus status;

  for (size_t i = 0; i < n; i++) {
    values[i] = scale * next_random (t);
    if (side && precision == AK_BF16)
      values[i] = rounded (values[i]);
  }
  if (side) {
    m.plain = ak_matrix_new_conv2d (t->plain, values, out, in, side, precision, &status);
    m.dev = ak_matrix_new_conv2d (t->dev, values, out, in, side, precision, &status);
  } else {
    m.plain = ak_matrix_new_conv (t->plain, values, out, in, kernel, groups, precision, &status);
    m.dev = ak_matrix_new_empty (t->dev, out, in, kernel, groups, precision, &status);
    for (size_t o = 0; m.dev && status == AK_OK && o < out; o += 21) /* in pieces, as files come */
      status = ak_matrix_fill (m.dev, values + o * (n / out), o, out - o < 21 ? out - o : 21);
  }
  free (values);
  if (!m.plain || !m.dev || status != AK_OK) {
    fprintf (stderr, "matrix: %s\n", ak_status_text (status));
    exit (1);
  }
  kept.matrix[kept.n_matrix++] = m.plain;
  kept.matrix[kept.n_matrix++] = m.dev;
  return m;
}

MatrixPair
check_matrix (Check *t, size_t out, size_t in, size_t kernel, size_t groups, AkPrecision precision)
{
  return matrix (t, out, in, kernel, groups, 0, precision);
}

MatrixPair
check_matrix2d (Check *t, size_t out, size_t in, size_t side, AkPrecision precision)
{
  return matrix (t, out, in, side * side, 1, side, precision);
}

static void
run_on (Check *t, AkDevice *dev, int plain, const char *what, CheckRecord *record, void *data)
{
  AkPlan *plan = ak_plan_new (dev);
  AkQueue *queue = ak_queue_new (dev);
  AkStatus status;

  record (plan, plain, data);
  status = ak_plan_finish (plan);
  if (status == AK_OK)
    status = ak_plan_run (plan, queue, NULL);
  if (status == AK_OK)
    status = ak_queue_sync (queue);
  if (status != AK_OK) {
    printf ("%s: FAILED on %s: %s\n", what, ak_device_name (dev), ak_status_text (status));
    t->failures++;
  }
  ak_queue_free (queue);
  ak_plan_free (plan);
}

void
check_run (Check *t, const char *what, CheckRecord *record, void *data)
{
  run_on (t, t->plain, 1, what, record, data);
  run_on (t, t->dev, 0, what, record, data);
}

static void
fetch (AkDevice *dev, float *to, const float *from, size_t n)
{
  AkQueue *q = ak_queue_new (dev);

  ak_download (q, to, from, n * sizeof *to);
  ak_queue_sync (q);
  ak_queue_free (q);
}

void
check_close (Check *t, const char *what, Pair y, double tol)
{
  size_t n = y.n + 2 * GUARD, bad = 0, at = 0;
  float *a = malloc (n * sizeof *a), *b = malloc (n * sizeof *b);
  double worst = 0;

  fetch (t->plain, a, y.plain - GUARD, n);
  fetch (t->dev, b, y.dev - GUARD, n);
  for (size_t i = 0; i < n; i++) {
    double diff = fabs ((double) a[i] - b[i]) / (1 + fabs (a[i]));
    double limit = i < GUARD || i >= y.n + GUARD ? 0 : tol;

    if (!(diff <= limit)) {
      if (!bad++)
        at = i;
    } else if (diff > worst) {
      worst = diff;
    }
  }
  t->checks++;
  if (bad) {
    t->failures++;
    printf ("%s: FAILED: %zu of %zu differ, first at %ld: %.9g instead of %.9g\n", what, bad, y.n,
        (long) at - GUARD, (double) b[at], (double) a[at]);
  } else if (getenv ("CHECK_VERBOSE")) {
    printf ("%s: ok, %.2g of %.2g\n", what, worst, tol);
  }
  free (a);
  free (b);
}

void
check_want (Check *t, const char *what, Pair y, const float *want, double tol)
{
  float *got = malloc (y.n * sizeof *got);

  for (int plain = 0; plain < 2; plain++) {
    size_t bad = 0, at = 0;

    fetch (plain ? t->plain : t->dev, got, AT (y), y.n);
    for (size_t i = 0; i < y.n; i++)
      if (!(fabs ((double) got[i] - want[i]) <= tol * (1 + fabs (want[i]))) && !bad++)
        at = i;
    t->checks++;
    if (bad) {
      t->failures++;
      printf ("%s: FAILED: %zu of %zu are wrong, first at %zu: %.9g instead of %.9g\n", what, bad,
          y.n, at, (double) got[at], (double) want[at]);
    }
  }
  free (got);
}

float *
check_read (Check *t, Pair y)
{
  float *got = malloc (y.n * sizeof *got);

  fetch (t->plain, got, y.plain, y.n);
  return got;
}

float *
check_read_dev (Check *t, Pair y)
{
  float *got = malloc (y.n * sizeof *got);

  fetch (t->dev, got, y.dev, y.n);
  return got;
}

void
check_put (Check *t, Pair p, size_t at, const void *values, size_t n)
{
  for (int plain = 0; plain < 2; plain++) {
    AkQueue *q = ak_queue_new (plain ? t->plain : t->dev);

    ak_upload (q, AT (p) + at, values, n * sizeof (float));
    ak_queue_sync (q);
    ak_queue_free (q);
  }
}

Pair
check_some_spans (Check *t, size_t height, size_t width)
{
  size_t n = (height + 1) / 2, across = (width + 1) / 2;
  Pair pair = check_pair (t, n, 1);

  for (size_t i = 0; i < n; i++) {
    AkSpan s = { (uint16_t) (i * 5 % (across + 1)), (uint16_t) (across - i % (across / 2 + 1)) };

    check_put (t, pair, i, &s, 1);
  }
  return pair;
}

void
check_close_spans (Check *t, const char *what, Pair y, const float *before, Pair spans,
    size_t height, size_t width, size_t row, double tol)
{
  float *want = check_read (t, y), *got = check_read_dev (t, y);
  size_t bad = 0, inside = 0;

  for (size_t i = 0; i < y.n; i++) {
    size_t pixel = i / row % (height * width), q = pixel % width;
    AkSpan s;
    int in;

    memcpy (&s, spans.plain + pixel / width / 2, sizeof s);
    in = q / 2 >= s.from && q / 2 < s.to;
    inside += (size_t) in;
    bad += !(fabs ((double) got[i] - want[i]) <= tol * (1 + fabs (want[i]))) &&
           (in || got[i] != before[i]);
  }
  t->checks++;
  if (bad || !inside) {
    t->failures++;
    printf ("%s: FAILED: %zu of %zu differ\n", what, bad, y.n);
  }
  free (want);
  free (got);
}

void
check_free (Check *t)
{
  for (size_t i = 0; i < kept.n_memory; i++)
    ak_free (i % 2 ? t->dev : t->plain, kept.memory[i]);
  for (size_t i = 0; i < kept.n_matrix; i++)
    ak_matrix_free (kept.matrix[i]);
  kept.n_memory = kept.n_matrix = 0;
}

/* Processor time, so that other programs disturb it little: meant for one thread. A card's is by the clock. */
static double
now (const AkDevice *dev)
{
  struct timespec s;

  clock_gettime (ak_device_threads (dev) ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &s);
  return (double) s.tv_sec + 1e-9 * (double) s.tv_nsec;
}

static double
best_time (AkDevice *dev, CheckRecord *record, void *data)
{
  AkPlan *plan = ak_plan_new (dev);
  AkQueue *queue = ak_queue_new (dev);
  double best = 1e9, total = 0;

  for (int i = 0; i < 10; i++) /* ten in a plan: what a call costs in a model */
    record (plan, 0, data);
  if (ak_plan_finish (plan) == AK_OK)
    for (int i = 0; i < 1000 && (i < 5 || total < 0.1); i++) {
      double start = now (dev), took;

      ak_plan_run (plan, queue, NULL);
      ak_queue_sync (queue);
      took = now (dev) - start;
      total += took;
      best = took < best ? took : best;
    }
  ak_queue_free (queue);
  ak_plan_free (plan);
  return best / 10;
}

void
check_bench (Check *t, const char *what, CheckRecord *record, void *data, double macs, double bytes)
{
  double s;

  if (!t->bench)
    return;
  s = best_time (t->dev, record, data);
  if (macs > 0)
    printf ("%s: %.3f ms, %.1f GFLOP/s\n", what, 1e3 * s, 2e-9 * macs / s);
  else
    printf ("%s: %.4f ms, %.2f GB/s\n", what, 1e3 * s, 1e-9 * bytes / s);
}

static const struct
{
  const char *name;
  void (*check) (Check *t);
} groups[] = {
  { "plan", check_plan },
  { "linear", check_linear },
  { "conv", check_conv },
  { "draw", check_draw },
  { "mouth", check_mouth },
  { "conv2d", check_conv2d },
  { "norm", check_norm },
  { "attention", check_attention },
  { "elementwise", check_elementwise },
  { "random", check_random },
  { "resize", check_resize },
  { "resize2d", check_resize2d },
  { "bits", check_bits },
  { "level", check_level },
  { "points", check_points },
  { "members", check_members },
  { "bind", check_bind },
  { "compose", check_compose },
  { "rotary", check_rotary },
  { "codebook", check_codebook },
  { "spans", check_spans },
  { "splat", check_splat },
};

/* Is `name` one of `list`, which commas separate? */
static int
has_name (const char *list, const char *name)
{
  size_t n = strlen (name);

  for (const char *at = list; at; at = strchr (at, ',')) {
    at += *at == ',';
    if (strncmp (at, name, n) == 0 && (at[n] == ',' || !at[n]))
      return 1;
  }
  return 0;
}

int
main (int argc, char **argv)
{
  Check t = { .device = "cpu", .seed = 1 };
  const char *only = NULL;
  unsigned threads = 0;
  AkStatus status;

  for (int i = 1; i < argc; i++) {
    if (strncmp (argv[i], "--device=", 9) == 0)
      t.device = argv[i] + 9;
    else if (strncmp (argv[i], "--threads=", 10) == 0)
      threads = (unsigned) atoi (argv[i] + 10);
    else if (strncmp (argv[i], "--seed=", 7) == 0)
      t.seed = (uint64_t) strtoull (argv[i] + 7, NULL, 0);
    else if (strncmp (argv[i], "--only=", 7) == 0)
      only = argv[i] + 7;
    else if (strcmp (argv[i], "--bench") == 0)
      t.bench = 1;
    else {
      fprintf (stderr, "kernels-check: unknown option %s\n", argv[i]);
      return 2;
    }
  }
  t.plain = ak_device_open ("cpu:plain", 1, &status);
  t.dev = ak_device_open (t.device, threads, &status);
  if (!t.plain || !t.dev) {
    printf ("SKIP: no device %s: %s\n", t.device, ak_device_problem ());
    ak_device_unref (t.plain);
    return 77;
  }
  for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
    if (!only || has_name (only, groups[i].name))
      groups[i].check (&t);
  printf ("%s, %u threads: %u checks, %u failures\n", t.device, ak_device_threads (t.dev), t.checks,
      t.failures);
  ak_device_unref (t.plain);
  ak_device_unref (t.dev);
  return t.failures ? 1 : 0;
}
