/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Step 5 of splat.h, pixel after pixel in doubles. */
#include "splat.h"

#include <math.h>

typedef struct
{
  double transmittance;
  int32_t last; /* place of the last splat used */
} Pixel;

/* Adds to color [channels] what the pixel (x, y) shows of the splats list [n]. */
static Pixel
draw_pixel (
    const AkSplatJob *job, const uint32_t *list, size_t n, unsigned x, unsigned y, double *color)
{
  double rest = job->args.rest;
  Pixel pixel = { 1, 0 };

  for (size_t i = 0; i < n; i++) {
    const AkSplatShape *s = job->shapes + list[i];
    const float *add = job->args.colors + list[i] * job->args.channels;
    double dx = s->u[0] - x, dy = s->u[1] - y, power, alpha, next;

    power = -0.5 * (s->conic[0] * dx * dx + s->conic[2] * dy * dy) - s->conic[1] * dx * dy;
    alpha = fmin ((double) AK_SPLAT_SOLID, s->opacity * exp (fmin (power, 0)));
    if (!(alpha >= AK_SPLAT_FAINT))
      continue;
    next = pixel.transmittance * (1 - alpha);
    if (next < rest)
      next = 0;
    else if (rest == 0 && next < AK_SPLAT_DONE)
      break;
    for (size_t c = 0; c < job->args.channels; c++)
      color[c] += add[c] * (pixel.transmittance - next);
    pixel = (Pixel){ next, (int32_t) i + 1 };
    if (next == 0)
      break;
  }
  return pixel;
}

/* Draws the pixel to where it belongs; its colour stays in color [channels]. */
static void
show_pixel (
    const AkSplatJob *job, const uint32_t *list, size_t n, unsigned x, unsigned y, double *color)
{
  const AkSplat *a = &job->args;
  size_t at = (size_t) y * a->width + x, shown = a->half ? AK_SPLAT_FRONT : a->channels;
  Pixel pixel;

  for (size_t c = 0; c < a->channels; c++)
    color[c] = 0;
  pixel = draw_pixel (job, list, n, x, y, color);
  for (size_t c = 0; c < a->channels && a->background; c++)
    color[c] += a->background[c] * pixel.transmittance;
  for (size_t c = 0; c < shown; c++)
    a->image[at * shown + c] = (float) color[c];
  if (a->transmittance)
    a->transmittance[at] = (float) pixel.transmittance;
  if (a->details.contributions)
    a->details.contributions[at] = pixel.last;
}

/* Draws 2×2 pixels from (x, y) on, and their mean. */
static void
show_square (const AkSplatJob *job, const uint32_t *list, size_t n, unsigned x, unsigned y)
{
  const AkSplat *a = &job->args;
  double color[AK_SPLAT_CHANNELS_MAX], sum[AK_SPLAT_CHANNELS_MAX] = { 0 };
  float *half = a->half + ((size_t) y / 2 * (a->width / 2) + x / 2) * a->channels;

  for (unsigned i = 0; i < 4; i++) {
    show_pixel (job, list, n, x + i % 2, y + i / 2, color);
    for (size_t c = 0; c < a->channels; c++)
      sum[c] += color[c];
  }
  for (size_t c = 0; c < a->channels; c++)
    half[c] = (float) (sum[c] / 4);
}

static void
draw_tile (const AkSplatJob *job, unsigned tx, unsigned ty, uint32_t *list)
{
  const AkSplat *a = &job->args;
  unsigned x1 = (tx + 1) * AK_SPLAT_TILE, y1 = (ty + 1) * AK_SPLAT_TILE;
  unsigned step = a->half ? 2 : 1;
  double color[AK_SPLAT_CHANNELS_MAX];
  size_t n = 0;

  for (size_t i = 0; i < job->drawn; i++) {
    AkSplatBox b = job->sorted[i];

    if (b.x0 < x1 && b.y0 < y1 && b.x1 > tx * AK_SPLAT_TILE && b.y1 > ty * AK_SPLAT_TILE)
      list[n++] = job->keys[i].index;
  }
  for (unsigned y = ty * AK_SPLAT_TILE; y < y1 && y < a->height; y += step)
    for (unsigned x = tx * AK_SPLAT_TILE; x < x1 && x < a->width; x += step)
      if (a->half)
        show_square (job, list, n, x, y);
      else
        show_pixel (job, list, n, x, y, color);
}

void
ak_splat_strip_plain (const AkSplatJob *job, unsigned strip, char *scratch)
{
  AkSplatPlace place = ak_splat_place (job, strip);

  for (unsigned tx = place.tile0; tx < place.tile1; tx++)
    draw_tile (job, tx, place.row, (uint32_t *) scratch);
}
