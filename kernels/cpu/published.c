/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The published look (model spec, section 9), in double, a band of rows at a time. */
#include "mesh.h"
#include "picture.h"

#include <math.h>
#include <string.h>

#define BAND 32 /* rows; even */

typedef struct
{
  double x, y, z; /* ndc and depth */
} Seen;

/* A face's box of pixels; empty (x0 > x1) if the face is skipped. */
typedef struct
{
  int x0, x1, y0, y1;
  double area;
} Box;

typedef struct
{
  const AkCpuMesh *mesh;
  const float *vertices;
  double scale;
  unsigned width, height;
  const AkPicture *picture; /* or NULL */
  AkFragments out;
  AkNormalsFn *normals_fn;
  float *normals, *scratch;
  Seen *seen;      /* [V] */
  Box *box;        /* [F] */
  int32_t *face;   /* [BAND][width] */
  double *depth;   /* [BAND][width] */
  double *weights; /* [BAND][width][2] */
  uint8_t *rgba;   /* [BAND][width][4] */
  int avx2;
} Published;

/* The pixels whose middles lie in [low, high], of n: the middle of pixel j is at (n - 1 - 2j) / m. */
static void
pixel_range (double low, double high, double n, double m, int *first, int *last)
{
  double a = ceil ((n - 1 - high * m) / 2 - 1e-3), b = floor ((n - 1 - low * m) / 2 + 1e-3);

  *first = a > 0 ? (a < n ? (int) a : (int) n) : 0;
  *last = b < n - 1 ? (b >= 0 ? (int) b : -1) : (int) n - 1;
}

static void
look (const Published *p)
{
  double m = p->width < p->height ? p->width : p->height;

  for (size_t v = 0; v < p->mesh->base.vertices; v++) {
    const float *at = p->vertices + 3 * v;
    double z = 2 * p->scale - at[2];

    p->seen[v] = (Seen){ -12 * (double) at[0] / z, 12 * (double) at[1] / z, z };
  }
  for (size_t f = 0; f < p->mesh->base.faces; f++) {
    const uint32_t *i = p->mesh->indices + 3 * f;
    const Seen *a = p->seen + i[0], *b = p->seen + i[1], *c = p->seen + i[2];
    Box *box = p->box + f;

    *box = (Box){ 0, -1, 0, -1, 0 };
    if (!(a->z >= 1e-8 && b->z >= 1e-8 && c->z >= 1e-8))
      continue;
    box->area = (c->x - a->x) * (b->y - a->y) - (c->y - a->y) * (b->x - a->x);
    if (!(fabs (box->area) > 1e-8))
      continue;
    pixel_range (fmin (a->x, fmin (b->x, c->x)), fmax (a->x, fmax (b->x, c->x)), p->width, m,
        &box->x0, &box->x1);
    pixel_range (fmin (a->y, fmin (b->y, c->y)), fmax (a->y, fmax (b->y, c->y)), p->height, m,
        &box->y0, &box->y1);
  }
}

/* Twice the area of a, b and the point; of the sign of Box.area on the inner side. */
static double
edge (const Seen *a, const Seen *b, double x, double y)
{
  return (x - a->x) * (b->y - a->y) - (y - a->y) * (b->x - a->x);
}

/* Draws the rows y0 … y0 + rows - 1 of face f. */
static void
cover (const Published *p, size_t f, int y0, int rows)
{
  const uint32_t *i = p->mesh->indices + 3 * f;
  const Seen *v0 = p->seen + i[0], *v1 = p->seen + i[1], *v2 = p->seen + i[2];
  const Box *box = p->box + f;
  double m = p->width < p->height ? p->width : p->height;
  double sign = box->area > 0 ? 1 : -1, area = box->area + 1e-8;
  int last = box->y1 < y0 + rows - 1 ? box->y1 : y0 + rows - 1;

  for (int r = box->y0 > y0 ? box->y0 : y0; r <= last; r++) {
    double y = ((double) p->height - 1 - 2.0 * r) / m;

    for (int c = box->x0; c <= box->x1; c++) {
      double x = ((double) p->width - 1 - 2.0 * c) / m;
      double w0 = edge (v1, v2, x, y), w1 = edge (v2, v0, x, y), w2 = edge (v0, v1, x, y);
      double t0, t1, t2, sum, z;
      size_t at = (size_t) (r - y0) * p->width + (size_t) c;

      if (!(w0 * sign > 0 && w1 * sign > 0 && w2 * sign > 0))
        continue;
      t0 = w0 / area * v1->z * v2->z;
      t1 = w1 / area * v0->z * v2->z;
      t2 = w2 / area * v0->z * v1->z;
      sum = fmax (t0 + t1 + t2, 1e-8);
      t0 /= sum, t1 /= sum, t2 /= sum;
      z = t0 * v0->z + t1 * v1->z + t2 * v2->z;
      if (t0 > 0 && t1 > 0 && t2 > 0 && (p->face[at] < 0 || z < p->depth[at])) {
        p->face[at] = (int32_t) f;
        p->depth[at] = z;
        p->weights[2 * at] = t0;
        p->weights[2 * at + 1] = t1;
      }
    }
  }
}

static double
dot (const double *a, const double *b)
{
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

static void
normalise (double *a)
{
  double length = fmax (sqrt (dot (a, a)), 1e-6);

  for (int k = 0; k < 3; k++)
    a[k] /= length;
}

static void
shade (const Published *p, size_t at, double rgb[3])
{
  static const double base[3] = { 142 / 255.0, 179 / 255.0, 247 / 255.0 };
  static const double light[3] = { 0, 1, 3 };
  const uint32_t *i = p->mesh->indices + 3 * (size_t) p->face[at];
  double b[3] = { p->weights[2 * at], p->weights[2 * at + 1], 0 };
  double P[3] = { 0, 0, 0 }, N[3] = { 0, 0, 0 }, l[3], e[3], r[3], c, shine;

  b[2] = 1 - b[0] - b[1];
  for (int j = 0; j < 3; j++)
    for (int k = 0; k < 3; k++) {
      P[k] += b[j] * p->vertices[3 * (size_t) i[j] + (size_t) k];
      N[k] += b[j] * p->normals[3 * (size_t) i[j] + (size_t) k];
    }
  for (int k = 0; k < 3; k++) {
    l[k] = light[k] - P[k];
    e[k] = (k == 2 ? 2 * p->scale : 0) - P[k];
  }
  normalise (N);
  normalise (l);
  normalise (e);
  c = dot (N, l);
  for (int k = 0; k < 3; k++)
    r[k] = 2 * c * N[k] - l[k];
  shine = c > 0 ? fmax (dot (e, r), 0) : 0;
  shine *= shine;                                /* ^2 */
  shine = shine * shine * shine * shine * shine; /* ^10 */
  for (int k = 0; k < 3; k++)
    rgb[k] = (0.5 + 0.3 * fmax (c, 0)) * base[k] + 0.12 * shine;
}

/* Shades the band and hands it to the outputs. */
static void
finish_band (const Published *p, unsigned y0, unsigned rows)
{
  size_t n = (size_t) rows * p->width, first = (size_t) y0 * p->width;

  for (size_t at = 0; at < n; at++) {
    double rgb[3] = { 1, 1, 1 };
    int covered = p->face[at] >= 0;

    if (covered)
      shade (p, at, rgb);
    if (p->rgba) {
      for (int k = 0; k < 3; k++)
        p->rgba[4 * at + (size_t) k] = (uint8_t) (255 * rgb[k]);
      p->rgba[4 * at + 3] = covered ? 255 : 0;
    }
    if (p->out.face)
      p->out.face[first + at] = p->face[at];
    if (p->out.z)
      p->out.z[first + at] = covered ? (float) p->depth[at] : 0;
    for (size_t k = 0; k < 2 && p->out.bary; k++)
      p->out.bary[2 * (first + at) + k] = covered ? (float) p->weights[2 * at + k] : 0;
    for (size_t k = 0; k < 3 && p->out.rgb; k++)
      p->out.rgb[3 * (first + at) + k] = (float) rgb[k];
  }
  if (p->picture)
    ak_picture_rows (p->picture, p->avx2, y0, rows, p->rgba, 4 * (size_t) p->width);
}

static void
published_run (AkCpu *cpu, const void *args)
{
  const Published *p = args;

  (void) cpu;
  p->normals_fn (p->mesh, p->normals, p->scratch, p->vertices, 1);
  look (p);
  for (unsigned y0 = 0; y0 < p->height; y0 += BAND) {
    unsigned rows = p->height - y0 < BAND ? p->height - y0 : BAND;

    memset (p->face, 0xff, (size_t) rows * p->width * sizeof *p->face);
    for (size_t f = 0; f < p->mesh->base.faces; f++)
      if (p->box[f].y0 < (int) (y0 + rows) && p->box[f].y1 >= (int) y0 &&
          p->box[f].x0 <= p->box[f].x1)
        cover (p, f, (int) y0, (int) rows);
    finish_band (p, y0, rows);
  }
}

static void
record (AkPlan *plan, Published *args)
{
  size_t V = args->mesh->base.vertices, F = args->mesh->base.faces,
         band = (size_t) BAND * args->width;

  args->normals_fn = ak_normals_for (plan->dev);
  args->avx2 = ak_cpu_has_avx2 (plan->dev);
  args->normals = ak_plan_memory (plan, 3 * V * sizeof (float));
  args->scratch = ak_plan_memory (plan, 4 * (F + 1 + V) * sizeof (float));
  args->seen = ak_plan_memory (plan, V * sizeof *args->seen);
  args->box = ak_plan_memory (plan, F * sizeof *args->box);
  args->face = ak_plan_memory (plan, band * sizeof *args->face);
  args->depth = ak_plan_memory (plan, band * sizeof *args->depth);
  args->weights = ak_plan_memory (plan, 2 * band * sizeof *args->weights);
  if (args->picture)
    args->rgba = ak_plan_memory (plan, 4 * band);
  if (plan->status == AK_OK)
    ak_cpu_append (plan, AK_NODE_INLINE, published_run, NULL, args, sizeof *args);
}

static void
mesh_fragments (AkPlan *plan, const AkMesh *mesh, const float *vertices, float scale,
    unsigned width, unsigned height, const AkFragments *out)
{
  Published args = { .mesh = (const AkCpuMesh *) mesh,
    .vertices = vertices,
    .scale = scale,
    .width = width,
    .height = height,
    .out = *out };

  record (plan, &args);
}

static void
mesh_draw_published (
    AkPlan *plan, const AkMesh *mesh, const float *vertices, float scale, const AkPicture *picture)
{
  Published args = { .mesh = (const AkCpuMesh *) mesh,
    .vertices = vertices,
    .scale = scale,
    .width = picture->width,
    .height = picture->height,
    .picture = picture };

  record (plan, &args);
}

void
ak_cpu_published_init (AkOps *ops)
{
  ops->mesh_fragments = mesh_fragments;
  ops->mesh_draw_published = mesh_draw_published;
}
