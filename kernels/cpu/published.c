/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The published look (model spec, section 9), in double, a band of rows at a time. */
#include "mesh.h"
#include "../published_look.h"
#include "picture.h"

#include <string.h>

#define BAND 32 /* rows; even */

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
  AkSeen *seen;    /* [V] */
  AkFaceBox *box;  /* [F] */
  int32_t *face;   /* [BAND][width] */
  double *depth;   /* [BAND][width] */
  double *weights; /* [BAND][width][2] */
  uint8_t *rgba;   /* [BAND][width][4] */
  int avx2;
} Published;

static void
look (const Published *p)
{
  for (size_t v = 0; v < p->mesh->base.vertices; v++)
    p->seen[v] = ak_see (p->vertices + 3 * v, p->scale);
  for (size_t f = 0; f < p->mesh->base.faces; f++) {
    const uint32_t *i = p->mesh->indices + 3 * f;

    p->box[f] = ak_face_box (p->seen + i[0], p->seen + i[1], p->seen + i[2], p->width, p->height);
  }
}

/* Draws the rows y0 … y0 + rows - 1 of face f. */
static void
cover (const Published *p, size_t f, int y0, int rows)
{
  const uint32_t *i = p->mesh->indices + 3 * f;
  const AkFaceBox *box = p->box + f;
  const double m = ak_smaller_side (p->width, p->height);
  int last = box->y1 < y0 + rows - 1 ? box->y1 : y0 + rows - 1;

  for (int r = box->y0 > y0 ? box->y0 : y0; r <= last; r++) {
    const double y = ak_pixel_middle ((unsigned) r, p->height, m);

    for (int c = box->x0; c <= box->x1; c++) {
      size_t at = (size_t) (r - y0) * p->width + (size_t) c;
      double weights[2], z;

      z = ak_face_depth (p->seen + i[0], p->seen + i[1], p->seen + i[2], box->area,
          ak_pixel_middle ((unsigned) c, p->width, m), y, weights);
      if (z > 0 && (p->face[at] < 0 || z < p->depth[at])) {
        p->face[at] = (int32_t) f;
        p->depth[at] = z;
        memcpy (p->weights + 2 * at, weights, sizeof weights);
      }
    }
  }
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
      ak_shade_published (rgb, p->vertices, p->normals, p->mesh->indices + 3 * (size_t) p->face[at],
          p->weights + 2 * at, p->scale);
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
