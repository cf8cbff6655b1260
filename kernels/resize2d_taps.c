/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resize2d_taps.h"

#include <math.h>

static void
linear_tap (AkTaps *tap, double *weights, double at, size_t in)
{
  size_t j;

  at = at < 0 ? 0 : at;
  j = (size_t) at;
  j = j < in ? j : in - 1;
  tap->first = j;
  weights[1] = j + 1 < in ? at - (double) j : 0;
  weights[0] = 1 - weights[1];
  tap->count = weights[1] > 0 ? 2 : 1;
}

static void
smooth_tap (AkTaps *tap, double *weights, double middle, double reach, size_t in)
{
  double sum = 0, low = floor (middle - reach + 0.5), high = floor (middle + reach + 0.5);
  size_t end = high < (double) in ? (size_t) high : in;

  tap->first = low > 0 ? (size_t) low : 0;
  tap->count = end - tap->first;
  for (size_t j = 0; j < tap->count; j++) {
    double w = 1 - fabs ((double) (tap->first + j) + 0.5 - middle) / reach;

    weights[j] = w > 0 ? w : 0;
    sum += weights[j];
  }
  for (size_t j = 0; j < tap->count; j++)
    weights[j] /= sum;
}

/* How many pixels one of the result reaches to each side, smooth. */
static double
reach_of (size_t in, size_t out)
{
  double s = (double) in / (double) out;

  return s > 1 ? s : 1;
}

size_t
ak_taps_most (AkResize2dMode mode, size_t in, size_t out)
{
  return mode == AK_RESIZE2D_SMOOTH ? 2 * (size_t) ceil (reach_of (in, out)) + 2 : 2;
}

void
ak_taps_make (AkResize2dMode mode, size_t in, size_t out, AkTaps *taps, double *weights)
{
  size_t most = ak_taps_most (mode, in, out);
  double s = (double) in / (double) out;

  for (size_t i = 0; i < out; i++) {
    AkTaps *t = taps + i;
    double *w = weights + i * most;

    t->at = i * most;
    if (in == out)
      linear_tap (t, w, (double) i, in);
    else if (mode == AK_RESIZE2D_SMOOTH)
      smooth_tap (t, w, ((double) i + 0.5) * s, reach_of (in, out), in);
    else if (mode == AK_RESIZE2D_LINEAR)
      linear_tap (t, w, ((double) i + 0.5) * s - 0.5, in);
    else /* exact where a pixel falls on a pixel */
      linear_tap (t, w, out > 1 ? (double) (i * (in - 1)) / (double) (out - 1) : 0, in);
  }
}
