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
  Pixel pixel = { 1, 0 };

  for (size_t i = 0; i < n; i++) {
    const AkSplatShape *s = job->ordered + list[i];
    const float *add = job->args.colors + s->index * job->args.channels;
    double dx = s->u[0] - x, dy = s->u[1] - y, power, alpha, next;

    power = -0.5 * (s->conic[0] * dx * dx + s->conic[2] * dy * dy) - s->conic[1] * dx * dy;
    alpha = fmin ((double) AK_SPLAT_SOLID, s->opacity * exp (fmin (power, 0)));
    if (!(alpha >= AK_SPLAT_FAINT))
      continue;
    next = pixel.transmittance * (1 - alpha);
    if (next < AK_SPLAT_DONE)
      break;
    for (size_t c = 0; c < job->args.channels; c++)
      color[c] += add[c] * alpha * pixel.transmittance;
    pixel = (Pixel){ next, (int32_t) i + 1 };
  }
  return pixel;
}

static void
draw_tile (const AkSplatJob *job, unsigned tx, unsigned ty, uint32_t *list)
{
  const AkSplat *a = &job->args;
  unsigned x1 = (tx + 1) * AK_SPLAT_TILE, y1 = (ty + 1) * AK_SPLAT_TILE;
  size_t n = 0;

  for (size_t i = 0; i < job->drawn; i++)
    if (job->sorted[0][i] < x1 && job->sorted[1][i] < y1 &&
        job->sorted[2][i] > tx * AK_SPLAT_TILE && job->sorted[3][i] > ty * AK_SPLAT_TILE)
      list[n++] = (uint32_t) i;
  for (unsigned y = ty * AK_SPLAT_TILE; y < y1 && y < a->height; y++)
    for (unsigned x = tx * AK_SPLAT_TILE; x < x1 && x < a->width; x++) {
      double color[AK_SPLAT_CHANNELS_MAX] = { 0 };
      size_t at = (size_t) y * a->width + x;
      Pixel pixel = draw_pixel (job, list, n, x, y, color);

      for (size_t c = 0; c < a->channels; c++) {
        double behind = a->background ? a->background[c] * pixel.transmittance : 0;

        a->image[at * a->channels + c] = (float) (color[c] + behind);
      }
      if (a->transmittance)
        a->transmittance[at] = (float) pixel.transmittance;
      if (a->details.contributions)
        a->details.contributions[at] = pixel.last;
    }
}

void
ak_splat_strip_plain (const AkSplatJob *job, unsigned strip, char *scratch)
{
  AkSplatPlace place = ak_splat_place (job, strip);

  for (unsigned tx = place.tile0; tx < place.tile1; tx++)
    draw_tile (job, tx, place.row, (uint32_t *) scratch);
}
