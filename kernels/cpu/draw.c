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
  float *normals, *scratch; /* scratch of the normals */
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

/* Draws a band, which is then in its blocks; returns the number of pixels that are still to be blended, 0 without alpha. */
static size_t
draw_band (const Draw *d, AkBand *band, const AkFaceList *list, size_t n_outlines, uint32_t under)
{
  size_t n = 0;

  d->fns->faces (band, list);
  if (band->first > band->last)
    return 0;
  band->first -= band->first > 0;
  band->last += band->last + 1 < band->columns;
  if (d->style->antialias)
    n = ak_edges_find (band, d->outlines, n_outlines, &d->blends, d->fns, under);
  if (d->picture->alpha)
    return n;
  ak_edges_blend (band, &d->blends, n, under);
  return 0;
}

/* Clears what of a band is not written: its margins. */
static void
clear_margins (const AkBand *band)
{
  size_t columns = (size_t) band->columns, top = AK_DRAW_MARGIN / 2,
         bottom = (size_t) (band->out1 - band->row0 + 1) / 2, rows = (size_t) band->rows / 2;

  memset (band->blocks, 0, top * columns * sizeof *band->blocks);
  memset (band->blocks + bottom * columns, 0, (rows - bottom) * columns * sizeof *band->blocks);
}

static void
fill (uint32_t *dst, uint32_t color, size_t n)
{
  for (size_t i = 0; i < n; i++)
    dst[i] = color;
}

/* Takes a band from its blocks to d->rgba. */
static void
write_rgba (const Draw *d, const AkBand *band, size_t n_blends, uint32_t under, uint32_t background)
{
  uint32_t *rgba = d->rgba + band->column0;

  d->fns->resolve (band, under, (uint8_t *) rgba, 4 * d->stride);
  if (!d->picture->alpha)
    return;
  ak_edges_blend_rgba (band, &d->blends, n_blends, rgba, d->stride);
  for (int y = band->out0; y < band->out1; y++)
    straighten (
        rgba + (size_t) (y - band->out0) * d->stride, 4 * (size_t) band->columns, background);
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
  int planes = d->fns->planes && picture->pixels >= AK_PIXELS_I420 && picture->width % 8 == 0 &&
               picture->height % 2 == 0;
  size_t n_outlines = 0;
  int x0, x1, dirty = 0;

  (void) cpu;
  d->normals_fn (d->mesh, d->normals, d->scratch, d->vertices, 0);
  d->fns->light (&stage);
  d->fns->cull (d->mesh, d->points, picture->width, picture->height, d->front, &list);
  if (d->style->antialias)
    n_outlines = list_outlines (d);
  x0 = list.x0 < 0 ? 0 : list.x0 >> 8;
  x1 =
      list.x1 >= 256 * (int) picture->width - 128 ? (int) picture->width - 1 : (list.x1 + 128) >> 8;
  if (list.x0 > list.x1)
    x0 = x1 = 0;
  if (!planes)
    fill (d->rgba, background, AK_DRAW_BAND * d->stride);
  for (unsigned row0 = 0; row0 < picture->height; row0 += AK_DRAW_BAND) {
    unsigned rows = picture->height - row0 < AK_DRAW_BAND ? picture->height - row0 : AK_DRAW_BAND;
    AkBand band = { d->mesh, d->points, d->looks, (int) row0 - AK_DRAW_MARGIN,
      (int) (rows + rows % 2) + 2 * AK_DRAW_MARGIN, (int) row0, (int) (row0 + rows), x0 & ~7,
      2 * ((x1 >> 3) - (x0 >> 3) + 1), 0, 0, d->blocks };
    uint32_t under = picture->alpha ? premultiplied (background) : background;
    size_t n_blends;

    band.first = band.columns;
    band.last = -1;
    n_blends = draw_band (d, &band, &list, n_outlines, under);
    if (planes) {
      d->fns->planes (&band, background, picture);
    } else {
      if (band.first <= band.last) {
        write_rgba (d, &band, n_blends, under, background);
        dirty = 1;
      } else if (dirty) {
        fill (d->rgba, background, AK_DRAW_BAND * d->stride);
        dirty = 0;
      }
      ak_picture_rows (picture, d->avx2, row0, rows, (const uint8_t *) d->rgba, 4 * d->stride);
    }
    if (band.first <= band.last)
      clear_margins (&band);
  }
}

static void
mesh_draw (AkPlan *plan, const AkMesh *mesh, const float *vertices, float scale,
    const AkPicture *picture, const AkDrawStyle *style)
{
  const AkCpuMesh *m = (const AkCpuMesh *) mesh;
  size_t V = m->padded, F = mesh->faces;
  size_t columns = (picture->width + 7) / 8 * 2,
         blocks = columns * (AK_DRAW_BAND / 2 + AK_DRAW_MARGIN), pixels = 8 * blocks;
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
  d.stride = 4 * columns;
  d.normals = ak_plan_memory (plan, 3 * V * sizeof (float));
  d.scratch = ak_plan_memory (plan, 4 * (F + 1 + V) * sizeof (float));
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
