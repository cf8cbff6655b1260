/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The coloured look on the CPU: which faces and outlines are seen, band after band. The inner loops
 * are in draw_plain.c and draw_avx2.c. */
#include "draw.h"
#include "picture.h"

#include <string.h>

#define MAX_SLOTS 65536 /* pixels of a band with samples; those beyond stay without */
#define BEHIND 0.99f    /* an outline this much farther than what its pixel shows is hidden */

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
  uint32_t *outlines;     /* [edges] */
  uint32_t *first, *last; /* [bands + 1]: lists through `next` */
  AkBlock *blocks, *slots;
  uint8_t *masks;
  uint32_t *first_slot;
  uint32_t *rgba; /* [AK_DRAW_BAND][stride] */
  size_t stride, max_slots;
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
    if (v.x1 < -128 || v.y1 < -128 || v.x0 >= width || v.y0 >= height)
      continue;
    left = v.x0 < left ? v.x0 : left;
    right = v.x1 > right ? v.x1 : right;
    band = v.y0 < 0 ? 0 : (size_t) ((v.y0 + 128) >> 8) / AK_DRAW_BAND;
    if (band >= bands)
      continue;
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

/* Edges between a face that is seen and one that is not. */
static size_t
list_outlines (const Draw *d)
{
  size_t n = 0;

  for (size_t e = 0; e < d->mesh->n_edges; e++) {
    const uint32_t *face = d->mesh->edges[e].face;
    uint8_t other = face[1] == AK_NO_FACE ? 0 : d->front[face[1]];

    d->outlines[n] = (uint32_t) e;
    n += d->front[face[0]] != other;
  }
  return n;
}

/* Marks the pixels of the band that an outline goes through, where it is not hidden. */
static void
mark_outline (const Draw *d, const AkBand *band, uint32_t outline)
{
  const uint32_t *v = d->mesh->edges[outline].vertex;
  AkPoint a = d->points[v[0]], b = d->points[v[1]];
  int top = (band->row0 << 8) - 128, bottom = ((band->row0 + band->rows) << 8) - 128;
  int length, steps;
  float qa = d->looks[v[0]].q, qb = d->looks[v[1]].q, x, y, q, dx, dy, dq;

  if ((a.y < top && b.y < top) || (a.y >= bottom && b.y >= bottom))
    return;
  length = max3 (a.x > b.x ? a.x - b.x : b.x - a.x, a.y > b.y ? a.y - b.y : b.y - a.y, 1);
  steps = length / 128 + 1; /* half a pixel or less each */
  if (steps > 1 << 16)
    return;
  x = (float) a.x + 128, y = (float) a.y + 128, q = qa;
  dx = (float) (b.x - a.x) / (float) steps, dy = (float) (b.y - a.y) / (float) steps,
  dq = (qb - qa) / (float) steps;
  for (int s = 0; s <= steps; s++, x += dx, y += dy, q += dq) {
    int column = ((int) x >> 8) - band->column0, row = ((int) y >> 8) - band->row0, lane;
    size_t block;

    if (column < 0 || row < 0 || column >= 4 * band->columns || row >= band->rows)
      continue;
    block = (size_t) (row / 2 * band->columns + column / 4);
    lane = row % 2 * 4 + column % 4;
    if (q >= BEHIND * band->blocks[block].q[lane])
      band->masks[block] |= (uint8_t) (1u << lane);
  }
}

/* Gives every marked pixel its samples. */
static void
assign_slots (const Draw *d, const AkBand *band)
{
  size_t n = (size_t) (band->columns * ((band->rows + 1) / 2)), slot = 0;

  for (size_t b = 0; b < n; b++) {
    size_t pixels = (size_t) __builtin_popcount (band->masks[b]);

    if (slot + pixels > d->max_slots)
      band->masks[b] = 0, pixels = 0;
    band->first_slot[b] = (uint32_t) slot;
    slot += pixels;
  }
  memset (band->slots, 0, slot * sizeof *band->slots);
}

static void
draw_band (
    const Draw *d, const AkBand *band, size_t n_active, size_t n_outlines, uint32_t background)
{
  size_t blocks = (size_t) (band->columns * ((band->rows + 1) / 2));

  memset (band->blocks, 0, blocks * sizeof *band->blocks);
  memset (band->masks, 0, blocks);
  for (size_t i = 0; i < n_active; i++)
    d->fns->middles (band, d->visible + d->active[i]);
  if (d->style->antialias) {
    d->fns->borders (band);
    for (size_t i = 0; i < n_outlines; i++)
      mark_outline (d, band, d->outlines[i]);
    assign_slots (d, band);
    for (size_t i = 0; i < n_active; i++)
      d->fns->samples (band, d->visible + d->active[i]);
  }
  d->fns->resolve (
      band, background, d->picture->alpha, (uint8_t *) (d->rgba + band->column0), 4 * d->stride);
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
  uint32_t background = (argb & 0xff00ff00) | (argb >> 16 & 255) | (argb & 255) << 16;
  uint32_t empty = picture->alpha ? background : background | 0xff000000;
  int x0, x1, dirty = 0;
  size_t n_active = 0, n_outlines = 0;

  (void) cpu;
  d->normals_fn (d->mesh, d->normals, d->face_normals, d->vertices);
  d->fns->light (&stage);
  list_faces (d, &x0, &x1);
  if (d->style->antialias)
    n_outlines = list_outlines (d);
  fill (d->rgba, empty, AK_DRAW_BAND * d->stride);
  for (unsigned row0 = 0, b = 0; row0 < picture->height; row0 += AK_DRAW_BAND, b++) {
    unsigned rows = picture->height - row0 < AK_DRAW_BAND ? picture->height - row0 : AK_DRAW_BAND;
    size_t kept = 0;

    for (uint32_t i = d->first[b]; i != NONE; i = d->next[i])
      d->active[n_active++] = i;
    if (n_active) {
      AkBand band = { d->mesh, d->points, d->looks, (int) row0, (int) rows, x0 & ~3,
        (x1 >> 2) - (x0 >> 2) + 1, d->blocks, d->masks, d->first_slot, d->slots };

      draw_band (d, &band, n_active, n_outlines, background);
      dirty = 1;
    } else if (dirty) {
      fill (d->rgba, empty, AK_DRAW_BAND * d->stride);
      dirty = 0;
    }
    ak_picture_rows (picture, d->avx2, row0, rows, (const uint8_t *) d->rgba, 4 * d->stride);
    for (size_t i = 0; i < n_active; i++)
      if (d->visible[d->active[i]].y1 >= (int) ((row0 + rows) << 8) - 128)
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
  size_t blocks = (size_t) (picture->width + 7) / 4 * (AK_DRAW_BAND / 2);
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
  d.max_slots = blocks * 8 < MAX_SLOTS ? blocks * 8 : MAX_SLOTS;
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
  d.slots = ak_plan_memory (plan, d.max_slots * sizeof *d.slots);
  d.masks = ak_plan_memory (plan, blocks + 8);
  d.first_slot = ak_plan_memory (plan, blocks * sizeof *d.first_slot);
  d.rgba = ak_plan_memory (plan, AK_DRAW_BAND * d.stride * sizeof *d.rgba);
  if (plan->status == AK_OK)
    ak_cpu_append (plan, AK_NODE_INLINE, draw_run, NULL, &d, sizeof d);
}

void
ak_cpu_draw_init (AkOps *ops)
{
  ops->mesh_draw = mesh_draw;
}
