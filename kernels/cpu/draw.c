/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The coloured look on the CPU: which faces and outlines are seen, band after band. The inner loops
 * are in draw_plain.c, draw_avx2.c and outline.c. */
#include "draw.h"
#include "outline.h"
#include "picture.h"

#include <stdatomic.h>
#include <string.h>

/* What a thread that draws bands needs for itself. */
typedef struct
{
  AkBlock *blocks;
  uint32_t *faces;
  AkBlends blends;
  uint32_t *rgba; /* [AK_DRAW_BAND][stride] */
} Scratch;

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
  AkOutlines outlines; /* [edges + 8] */
  size_t stride;
  unsigned n_parts; /* threads that may draw */
  Scratch parts[AK_CPU_SHARERS];
} Draw;

/* Lists the edges between a face that is seen and one that is not. */
static void
list_outlines (const Draw *d, AkOutlines *to)
{
  const AkCpuMesh *m = d->mesh;
  size_t n = d->fns->edges (m, d->front, d->edges);

  for (size_t k = 0; k < n; k++) {
    const uint32_t *v = m->edge_vertices + 2 * (size_t) d->edges[k],
                   *f = m->edge_faces + 2 * (size_t) d->edges[k];
    uint32_t seen = f[!d->front[f[0]]];
    const uint32_t *i = m->indices + 3 * (size_t) seen;
    int32_t y0 = d->points[v[0]].y, y1 = d->points[v[1]].y;

    to->outline[k] = (AkOutline){ { v[0], v[1] }, seen, i[0] ^ i[1] ^ i[2] ^ v[0] ^ v[1] };
    to->y0[k] = y0 < y1 ? y0 : y1;
    to->y1[k] = y0 < y1 ? y1 : y0;
  }
  to->n = n;
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
draw_band (const Draw *d, AkBand *band, const AkBlends *blends, const AkFaceList *list,
    const AkOutlines *outlines, uint32_t under)
{
  size_t n = 0;

  d->fns->faces (band, list);
  if (band->first > band->last)
    return 0;
  band->first -= band->first > 0;
  band->last += band->last + 1 < band->columns;
  if (d->style->antialias)
    n = ak_edges_find (band, outlines, blends, d->fns, under);
  if (d->picture->alpha)
    return n;
  ak_edges_blend (band, blends, n, under);
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

/* Takes a band from its blocks to scratch->rgba. */
static void
write_rgba (const Draw *d, const Scratch *scratch, const AkBand *band, size_t n_blends,
    uint32_t under, uint32_t background)
{
  uint32_t *rgba = scratch->rgba + band->column0;

  d->fns->resolve (band, under, (uint8_t *) rgba, 4 * d->stride);
  if (!d->picture->alpha)
    return;
  ak_edges_blend_rgba (band, &scratch->blends, n_blends, rgba, d->stride);
  for (int y = band->out0; y < band->out1; y++)
    straighten (
        rgba + (size_t) (y - band->out0) * d->stride, 4 * (size_t) band->columns, background);
}

/* A frame's bands, which threads take one after the other. */
typedef struct
{
  const Draw *draw;
  const AkFaceList *list;
  AkOutlines outlines;
  int x0, x1; /* pixels that the mesh spans */
  uint32_t background;
  atomic_uint next;
} Bands;

static void
draw_bands (void *data, unsigned part, unsigned n_parts)
{
  Bands *b = data;
  const Draw *d = b->draw;
  const Scratch *scratch = &d->parts[part];
  const AkPicture *picture = d->picture;
  int planes = d->fns->planes && picture->pixels >= AK_PIXELS_I420 && picture->width % 8 == 0 &&
               picture->height % 2 == 0;
  int dirty = 1;

  (void) n_parts;
  for (;;) {
    unsigned row0 = AK_DRAW_BAND * atomic_fetch_add (&b->next, 1);
    unsigned rows = picture->height - row0 < AK_DRAW_BAND ? picture->height - row0 : AK_DRAW_BAND;
    AkBand band = { d->mesh, d->points, d->looks, (int) row0 - AK_DRAW_MARGIN,
      (int) (rows + rows % 2) + 2 * AK_DRAW_MARGIN, (int) row0, (int) (row0 + rows), b->x0 & ~7,
      2 * ((b->x1 >> 3) - (b->x0 >> 3) + 1), 0, 0, scratch->blocks, scratch->faces };
    uint32_t under = picture->alpha ? premultiplied (b->background) : b->background;
    size_t n_blends;

    if (row0 >= picture->height)
      return;
    band.first = band.columns;
    band.last = -1;
    n_blends = draw_band (d, &band, &scratch->blends, b->list, &b->outlines, under);
    if (planes) {
      d->fns->planes (&band, b->background, picture);
    } else {
      if (dirty)
        fill (scratch->rgba, b->background, AK_DRAW_BAND * d->stride);
      dirty = band.first <= band.last;
      if (dirty)
        write_rgba (d, scratch, &band, n_blends, under, b->background);
      ak_picture_rows (
          picture, d->avx2, row0, rows, (const uint8_t *) scratch->rgba, 4 * d->stride);
    }
    if (band.first <= band.last)
      clear_margins (&band);
  }
}

static void
draw_run (AkCpu *cpu, const void *args)
{
  const Draw *d = args;
  const AkPicture *picture = d->picture;
  float m = (float) (picture->width < picture->height ? picture->width : picture->height);
  AkVertexStage stage = { d->mesh, d->vertices, d->normals,
    ak_mouth (&d->mesh->lips, d->vertices, d->scale), d->scale, 6 * m * 256,
    128 * (float) (picture->width - 1), 128 * (float) (picture->height - 1), d->points, d->looks };
  uint32_t argb = d->style->background;
  AkFaceList list = d->list;
  Bands bands = { .draw = d,
    .list = &list,
    .outlines = d->outlines,
    .background = (argb & 0xff00ff00) | (argb >> 16 & 255) | (argb & 255) << 16 |
                  (picture->alpha ? 0 : 0xff000000) };

  d->normals_fn (d->mesh, d->normals, d->scratch, d->vertices, 0);
  d->fns->light (&stage);
  d->fns->cull (d->mesh, d->points, picture->width, picture->height, d->front, &list);
  if (d->style->antialias)
    list_outlines (d, &bands.outlines);
  if (list.x0 <= list.x1) {
    bands.x0 = list.x0 < 0 ? 0 : list.x0 >> 8;
    bands.x1 = list.x1 >= 256 * (int) picture->width - 128 ? (int) picture->width - 1
                                                           : (list.x1 + 128) >> 8;
  }
  ak_cpu_share (cpu, draw_bands, &bands, d->n_parts);
}

static void
mesh_draw (AkPlan *plan, const AkMesh *mesh, const float *vertices, float scale,
    const AkPicture *picture, const AkDrawStyle *style)
{
  const AkCpuMesh *m = (const AkCpuMesh *) mesh;
  size_t V = m->padded, F = mesh->faces;
  size_t columns = (picture->width + 7) / 8 * 2,
         blocks = columns * (AK_DRAW_BAND / 2 + AK_DRAW_MARGIN), pixels = 8 * blocks,
         inner = (AK_MAX_INNER + AK_MAX_HITS + 8) * sizeof (int32_t);
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
  d.outlines.outline = ak_plan_memory (plan, (m->n_edges + 1) * sizeof *d.outlines.outline);
  d.outlines.y0 = ak_plan_memory (plan, (m->n_edges + 8) * sizeof *d.outlines.y0);
  d.outlines.y1 = ak_plan_memory (plan, (m->n_edges + 8) * sizeof *d.outlines.y1);
  d.n_parts = (picture->height + AK_DRAW_BAND - 1) / AK_DRAW_BAND;
  if (d.n_parts > plan->dev->threads)
    d.n_parts = plan->dev->threads;
  if (d.n_parts > AK_CPU_SHARERS)
    d.n_parts = AK_CPU_SHARERS;
  for (unsigned i = 0; i < d.n_parts; i++) {
    Scratch *s = &d.parts[i];

    s->blocks = ak_plan_memory (plan, (blocks + 1) * sizeof *s->blocks);
    s->faces = ak_plan_memory (plan, (F + 8) * sizeof *s->faces);
    s->blends.shares = ak_plan_memory (plan, pixels);
    s->blends.colors = ak_plan_memory (plan, pixels * sizeof *s->blends.colors);
    s->blends.borders = ak_plan_memory (plan, columns * sizeof *s->blends.borders);
    s->blends.inner.at = ak_plan_memory (plan, inner);
    s->blends.inner.beyond = ak_plan_memory (plan, inner);
    s->blends.inner.share = ak_plan_memory (plan, inner);
    s->blends.inner.color = ak_plan_memory (plan, inner);
    s->blends.touched = ak_plan_memory (plan, pixels * sizeof *s->blends.touched);
    s->blends.outlines = ak_plan_memory (plan, (m->n_edges + 8) * sizeof *s->blends.outlines);
    s->rgba = ak_plan_memory (plan, AK_DRAW_BAND * d.stride * sizeof *s->rgba);
  }
  if (plan->status == AK_OK)
    ak_cpu_append (plan, AK_NODE_INLINE, draw_run, NULL, &d, sizeof d);
}

void
ak_cpu_draw_init (AkOps *ops)
{
  ops->mesh_draw = mesh_draw;
}
