/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The coloured look on the CPU: which faces and outlines are seen, band after band. The inner loops
 * are in draw_plain.c, draw_avx2.c and outline.c. */
#include "draw.h"
#include "outline.h"
#include "picture.h"

#include <string.h>

typedef struct
{
  const AkCpuMesh *mesh;
  const AkDrawFns *fns;
  AkNormalsFn *normals_fn;
  int avx2;
  const float *vertices;
  float scale;
  const AkPicture *picture;
  const AkDrawStyle *style;
  float *normals, *face_normals;
  AkPoint *points;
  AkLook *looks;
  uint8_t *front; /* [F + 8]: not 0 where the face is turned to the camera; 0 beyond the faces */
  AkFaceList list;
  uint32_t *edges;     /* [edges + 8] */
  AkOutline *outlines; /* [edges] */
  AkBlock *blocks;
  AkBlends blends;
  uint32_t *rgba; /* [AK_DRAW_BAND][stride] */
  size_t stride;
} Draw;

/* Lists the edges between a face that is seen and one that is not; returns their number. */
static size_t
list_outlines (const Draw *d)
{
  const AkCpuMesh *m = d->mesh;
  size_t n = d->fns->edges (m, d->front, d->edges);

  for (size_t k = 0; k < n; k++) {
    const uint32_t *v = m->edge_vertices + 2 * (size_t) d->edges[k],
                   *f = m->edge_faces + 2 * (size_t) d->edges[k];
    uint32_t seen = f[!d->front[f[0]]];
    const uint32_t *i = m->indices + 3 * (size_t) seen;
    int32_t y0 = d->points[v[0]].y, y1 = d->points[v[1]].y;

    d->outlines[k] = (AkOutline){ { v[0], v[1] }, seen, i[0] ^ i[1] ^ i[2] ^ v[0] ^ v[1],
      y0 < y1 ? y0 : y1, y0 < y1 ? y1 : y0 };
  }
  return n;
}

/* 0xAABBGGRR with the colour times alpha. */
static uint32_t
premultiplied (uint32_t color)
{
  uint32_t a = color >> 24, out = a << 24;

  for (int k = 0; k < 24; k += 8)
    out |= ((color >> k & 255) * a + 127) / 255 << k;
  return out;
}

/* Makes the alpha of `n` pixels straight again; those that show nothing but the background get it exactly. */
static void
straighten (uint32_t *pixels, size_t n, uint32_t background)
{
  uint32_t empty = premultiplied (background);

  for (size_t i = 0; i < n; i++) {
    uint32_t a = pixels[i] >> 24, out = a << 24;

    if (a == 255)
      continue;
    for (int k = 0; k < 24 && a; k += 8) {
      uint32_t c = ((pixels[i] >> k & 255) * 255 + a / 2) / a;

      out |= (c < 255 ? c : 255) << k;
    }
    pixels[i] = pixels[i] == empty ? background : out;
  }
}

/* Draws a band into d->rgba. */
static void
draw_band (const Draw *d, const AkBand *band, const AkFaceList *list, size_t n_outlines,
    uint32_t background)
{
  const int alpha = d->picture->alpha;
  uint32_t *rgba = d->rgba + band->column0, under = alpha ? premultiplied (background) : background;
  size_t width = d->picture->width - (size_t) band->column0;

  width = width < 4 * (size_t) band->columns ? width : 4 * (size_t) band->columns;
  memset (band->blocks, 0, (size_t) (band->columns * (band->rows / 2)) * sizeof *band->blocks);
  d->fns->faces (band, list);
  d->fns->resolve (band, under, (uint8_t *) rgba, 4 * d->stride);
  if (d->style->antialias)
    ak_edges_blend (band, d->outlines, n_outlines, &d->blends, d->fns, under, rgba, d->stride,
        (int) width, alpha);
  for (int y = band->out0; alpha && y < band->out1; y++)
    straighten (rgba + (size_t) (y - band->out0) * d->stride, width, background);
}

static void
fill (uint32_t *dst, uint32_t color, size_t n)
{
  for (size_t i = 0; i < n; i++)
    dst[i] = color;
}

static void
draw_run (AkCpu *cpu, const void *args)
{
  const Draw *d = args;
  const AkPicture *picture = d->picture;
  float m = (float) (picture->width < picture->height ? picture->width : picture->height);
  AkVertexStage stage = { d->mesh, d->vertices, d->normals, d->scale, 6 * m * 256,
    128 * (float) (picture->width - 1), 128 * (float) (picture->height - 1), d->points, d->looks };
  uint32_t argb = d->style->background;
  uint32_t background = (argb & 0xff00ff00) | (argb >> 16 & 255) | (argb & 255) << 16 |
                        (picture->alpha ? 0 : 0xff000000);
  AkFaceList list = d->list;
  size_t n_outlines = 0;
  int x0, x1, dirty = 0;

  (void) cpu;
  d->normals_fn (d->mesh, d->normals, d->face_normals, d->vertices);
  d->fns->light (&stage);
  d->fns->cull (d->mesh, d->points, picture->width, picture->height, d->front, &list);
  if (d->style->antialias)
    n_outlines = list_outlines (d);
  x0 = list.x0 < 0 ? 0 : list.x0 >> 8;
  x1 = list.x1 >= 256 * (int) picture->width ? (int) picture->width - 1 : (list.x1 + 128) >> 8;
  fill (d->rgba, background, AK_DRAW_BAND * d->stride);
  for (unsigned row0 = 0; row0 < picture->height; row0 += AK_DRAW_BAND) {
    unsigned rows = picture->height - row0 < AK_DRAW_BAND ? picture->height - row0 : AK_DRAW_BAND;
    int first = (int) row0 - AK_DRAW_MARGIN, last = (int) (row0 + rows) + AK_DRAW_MARGIN;

    if (list.x0 <= list.x1 && list.y0 < 256 * last && list.y1 >= 256 * first) {
      AkBand band = { d->mesh, d->points, d->looks, first,
        (int) (rows + rows % 2) + 2 * AK_DRAW_MARGIN, (int) row0, (int) (row0 + rows), x0 & ~3,
        (x1 >> 2) - (x0 >> 2) + 1, d->blocks };

      draw_band (d, &band, &list, n_outlines, background);
      dirty = 1;
    } else if (dirty) {
      fill (d->rgba, background, AK_DRAW_BAND * d->stride);
      dirty = 0;
    }
    ak_picture_rows (picture, d->avx2, row0, rows, (const uint8_t *) d->rgba, 4 * d->stride);
  }
}

static void
mesh_draw (AkPlan *plan, const AkMesh *mesh, const float *vertices, float scale,
    const AkPicture *picture, const AkDrawStyle *style)
{
  const AkCpuMesh *m = (const AkCpuMesh *) mesh;
  size_t V = m->padded, F = mesh->faces;
  size_t columns = (picture->width + 7) / 4, blocks = columns * (AK_DRAW_BAND / 2 + AK_DRAW_MARGIN),
         stride = 4 * columns, pixels = stride * AK_DRAW_BAND;
  Draw d = { .mesh = m,
    .fns = &ak_draw_plain,
    .normals_fn = ak_normals_for (plan->dev),
    .avx2 = ak_cpu_has_avx2 (plan->dev),
    .vertices = vertices,
    .scale = scale,
    .picture = picture,
    .style = style };

#if defined(__x86_64__)
  if (d.avx2)
    d.fns = &ak_draw_avx2;
#endif
  d.stride = stride;
  d.normals = ak_plan_memory (plan, 3 * V * sizeof (float));
  d.face_normals = ak_plan_memory (plan, 4 * F * sizeof (float));
  d.points = ak_plan_memory (plan, V * sizeof *d.points);
  d.looks = ak_plan_memory (plan, V * sizeof *d.looks);
  d.front = ak_plan_memory (plan, F + 8);
  d.list.face = ak_plan_memory (plan, (F + 8) * sizeof *d.list.face);
  d.list.top = ak_plan_memory (plan, (F + 8) * sizeof *d.list.top);
  d.list.bottom = ak_plan_memory (plan, (F + 8) * sizeof *d.list.bottom);
  d.edges = ak_plan_memory (plan, (m->n_edges + 8) * sizeof *d.edges);
  d.outlines = ak_plan_memory (plan, (m->n_edges + 1) * sizeof *d.outlines);
  d.blocks = ak_plan_memory (plan, blocks * sizeof *d.blocks);
  d.blends.shares = ak_plan_memory (plan, pixels);
  d.blends.colors = ak_plan_memory (plan, pixels * sizeof *d.blends.colors);
  d.blends.borders = ak_plan_memory (plan, columns * sizeof *d.blends.borders);
  d.blends.inner = ak_plan_memory (plan, AK_MAX_INNER * sizeof *d.blends.inner);
  d.blends.touched = ak_plan_memory (plan, pixels * sizeof *d.blends.touched);
  d.rgba = ak_plan_memory (plan, AK_DRAW_BAND * d.stride * sizeof *d.rgba);
  if (plan->status == AK_OK)
    ak_cpu_append (plan, AK_NODE_INLINE, draw_run, NULL, &d, sizeof d);
}

void
ak_cpu_draw_init (AkOps *ops)
{
  ops->mesh_draw = mesh_draw;
}
