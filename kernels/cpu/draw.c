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
  uint8_t *front;         /* [F]: is the face seen from the front */
  AkVisible *visible;     /* [F] */
  uint32_t *next;         /* [F]: the next face of the same first band */
  uint32_t *active;       /* [F]: faces of the band under way */
  AkOutline *outlines;    /* [edges] */
  uint32_t *first, *last; /* [bands]: lists through `next` */
  AkBlock *blocks;
  AkBlends blends;
  uint32_t *rgba; /* [AK_DRAW_BAND][stride] */
  size_t stride;
} Draw;

#define NONE UINT32_MAX

static int
min3 (int a, int b, int c)
{
  int m = a < b ? a : b;

  return m < c ? m : c;
}

static int
max3 (int a, int b, int c)
{
  int m = a > b ? a : b;

  return m > c ? m : c;
}

/* Lists the faces that are turned to the camera and reach into the picture by their first band; returns
 * their number. *x0 … *x1: the columns of pixels that they can touch. */
static size_t
list_faces (const Draw *d, int *x0, int *x1)
{
  const int width = (int) d->picture->width << 8, height = (int) d->picture->height << 8;
  const int margin = AK_DRAW_MARGIN << 8;
  size_t bands = (d->picture->height + AK_DRAW_BAND - 1) / AK_DRAW_BAND, n = 0;
  int left = width, right = -1;

  for (size_t b = 0; b < bands; b++)
    d->first[b] = NONE;
  for (size_t f = 0; f < d->mesh->base.faces; f++) {
    const uint32_t *i = d->mesh->indices + 3 * f;
    AkPoint a = d->points[i[0]], b = d->points[i[1]], c = d->points[i[2]];
    AkVisible v;
    size_t band;

    d->front[f] = 0;
    if (a.x == AK_POINT_BAD || b.x == AK_POINT_BAD || c.x == AK_POINT_BAD)
      continue;
    if ((int64_t) (c.x - a.x) * (b.y - a.y) <= (int64_t) (b.x - a.x) * (c.y - a.y))
      continue;
    d->front[f] = 1;
    v = (AkVisible){ (uint32_t) f, min3 (a.x, b.x, c.x), max3 (a.x, b.x, c.x), min3 (a.y, b.y, c.y),
      max3 (a.y, b.y, c.y) };
    if (v.x1 < -128 || v.y1 < -margin || v.x0 >= width || v.y0 >= height + margin)
      continue;
    left = v.x0 < left ? v.x0 : left;
    right = v.x1 > right ? v.x1 : right;
    band = v.y0 < margin ? 0 : (size_t) ((v.y0 - margin) >> 8) / AK_DRAW_BAND;
    band = band < bands ? band : bands - 1;
    d->visible[n] = v;
    d->next[n] = NONE;
    if (d->first[band] == NONE)
      d->first[band] = (uint32_t) n;
    else
      d->next[d->last[band]] = (uint32_t) n;
    d->last[band] = (uint32_t) n;
    n++;
  }
  *x0 = left < 0 ? 0 : left >> 8;
  *x1 = right >= width ? (int) d->picture->width - 1 : (right + 128) >> 8;
  return n;
}

/* Lists the edges between a face that is seen and one that is not; returns their number. */
static size_t
list_outlines (const Draw *d)
{
  size_t n = 0;

  for (size_t e = 0; e < d->mesh->n_edges; e++) {
    const AkMeshEdge *edge = d->mesh->edges + e;
    int seen = d->front[edge->face[0]];
    const uint32_t *i;

    if (seen == (edge->face[1] == AK_NO_FACE ? 0 : d->front[edge->face[1]]))
      continue;
    i = d->mesh->indices + 3 * (size_t) edge->face[!seen];
    d->outlines[n++] = (AkOutline){ { edge->vertex[0], edge->vertex[1] }, edge->face[!seen],
      i[0] ^ i[1] ^ i[2] ^ edge->vertex[0] ^ edge->vertex[1] };
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
draw_band (
    const Draw *d, const AkBand *band, size_t n_active, size_t n_outlines, uint32_t background)
{
  const int alpha = d->picture->alpha;
  uint32_t *rgba = d->rgba + band->column0, under = alpha ? premultiplied (background) : background;
  size_t stride = 4 * d->stride, width = d->picture->width - (size_t) band->column0;

  width = width < 4 * (size_t) band->columns ? width : 4 * (size_t) band->columns;
  memset (band->blocks, 0, (size_t) (band->columns * (band->rows / 2)) * sizeof *band->blocks);
  for (size_t i = 0; i < n_active; i++)
    d->fns->middles (band, d->visible + d->active[i]);
  d->fns->resolve (band, under, (uint8_t *) rgba, stride);
  if (d->style->antialias)
    ak_edges_blend (band, d->outlines, n_outlines, &d->blends, d->fns->borders, under,
        (uint8_t *) rgba, stride, (int) width, alpha);
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
  int x0, x1, dirty = 0;
  size_t n_active = 0, n_outlines = 0;

  (void) cpu;
  d->normals_fn (d->mesh, d->normals, d->face_normals, d->vertices);
  d->fns->light (&stage);
  list_faces (d, &x0, &x1);
  if (d->style->antialias)
    n_outlines = list_outlines (d);
  fill (d->rgba, background, AK_DRAW_BAND * d->stride);
  for (unsigned row0 = 0, b = 0; row0 < picture->height; row0 += AK_DRAW_BAND, b++) {
    unsigned rows = picture->height - row0 < AK_DRAW_BAND ? picture->height - row0 : AK_DRAW_BAND;
    size_t kept = 0;

    for (uint32_t i = d->first[b]; i != NONE; i = d->next[i])
      d->active[n_active++] = i;
    if (n_active) {
      AkBand band = { d->mesh, d->points, d->looks, (int) row0 - AK_DRAW_MARGIN,
        (int) (rows + rows % 2) + 2 * AK_DRAW_MARGIN, (int) row0, (int) (row0 + rows), x0 & ~3,
        (x1 >> 2) - (x0 >> 2) + 1, d->blocks };

      draw_band (d, &band, n_active, n_outlines, background);
      dirty = 1;
    } else if (dirty) {
      fill (d->rgba, background, AK_DRAW_BAND * d->stride);
      dirty = 0;
    }
    ak_picture_rows (picture, d->avx2, row0, rows, (const uint8_t *) d->rgba, 4 * d->stride);
    for (size_t i = 0; i < n_active; i++)
      if (d->visible[d->active[i]].y1 >= 256 * (int) (row0 + rows - AK_DRAW_MARGIN))
        d->active[kept++] = d->active[i];
    n_active = kept;
  }
}

static void
mesh_draw (AkPlan *plan, const AkMesh *mesh, const float *vertices, float scale,
    const AkPicture *picture, const AkDrawStyle *style)
{
  const AkCpuMesh *m = (const AkCpuMesh *) mesh;
  size_t V = m->padded, F = mesh->faces,
         bands = (picture->height + AK_DRAW_BAND - 1) / AK_DRAW_BAND;
  size_t columns = (picture->width + 7) / 4, blocks = columns * (AK_DRAW_BAND / 2 + AK_DRAW_MARGIN),
         pixels = 4 * columns * AK_DRAW_BAND;
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
  d.stride = (picture->width + 7) / 4 * 4;
  d.normals = ak_plan_memory (plan, 3 * V * sizeof (float));
  d.face_normals = ak_plan_memory (plan, 4 * F * sizeof (float));
  d.points = ak_plan_memory (plan, V * sizeof *d.points);
  d.looks = ak_plan_memory (plan, V * sizeof *d.looks);
  d.front = ak_plan_memory (plan, F);
  d.visible = ak_plan_memory (plan, F * sizeof *d.visible);
  d.next = ak_plan_memory (plan, F * sizeof *d.next);
  d.active = ak_plan_memory (plan, F * sizeof *d.active);
  d.outlines = ak_plan_memory (plan, (m->n_edges + 1) * sizeof *d.outlines);
  d.first = ak_plan_memory (plan, bands * sizeof *d.first);
  d.last = ak_plan_memory (plan, bands * sizeof *d.last);
  d.blocks = ak_plan_memory (plan, blocks * sizeof *d.blocks);
  d.blends.shares = ak_plan_memory (plan, pixels);
  d.blends.colors = ak_plan_memory (plan, pixels * sizeof *d.blends.colors);
  d.blends.pairs = ak_plan_memory (plan, columns * sizeof *d.blends.pairs);
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
