/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resblock.h"

#include "kernels/resize2d.h"

void
am_resblock_load (AmPart *part, AmResblock *b, const char *prefix)
{
  const size_t *shape = am_part_shape (part, 4, "%sconv2.weight", prefix);

  if (!shape)
    return;
  b->out = shape[0];
  b->in = shape[1];
  b->conv1 = am_part_conv2d (part, b->in, b->in, 3, "%sconv1.weight", prefix);
  b->bias1 = am_part_vector (part, b->in, "%sconv1.bias", prefix);
  b->conv2 = am_part_conv2d (part, b->out, b->in, 3, "%sconv2.weight", prefix);
  b->bias2 = am_part_vector (part, b->out, "%sconv2.bias", prefix);
  b->skip = am_part_conv2d (part, b->out, b->in, 1, "%sskip.weight", prefix);
}

static void
resize (AkPlan *plan, float *y, float *x, size_t height, size_t width, size_t out_height,
    size_t out_width, size_t channels, const AkSpan *spans)
{
  ak_resize2d (plan, &(AkResize2d){ .y = ak_dense (y, out_height * out_width, channels),
                         .x = ak_dense (x, height * width, channels),
                         .mode = AK_RESIZE2D_LINEAR,
                         .batch = 1,
                         .in_height = height,
                         .in_width = width,
                         .out_height = out_height,
                         .out_width = out_width,
                         .channels = channels,
                         .spans = spans });
}

void
am_resblock_record (const AmResblock *b, AkPlan *plan, float *y, float *x, size_t height,
    size_t width, gboolean doubling, const AmResblockMemory *memory, AmResblockSpans spans)
{
  size_t pixels = height * width, out_height = doubling ? 2 * height : height / 2,
         out_width = doubling ? 2 * width : width / 2, out_pixels = out_height * out_width;
  AkConv2d skip = { .matrix = b->skip, .batch = 1, .height = height, .width = width, .stride = 1 };

  ak_conv2d (plan, &(AkConv2d){ .y = ak_dense (memory->hidden, pixels, b->in),
                       .x = ak_dense (x, pixels, b->in),
                       .matrix = b->conv1,
                       .bias = b->bias1,
                       .activation = AK_ACT_LEAKY_RELU,
                       .batch = 1,
                       .height = height,
                       .width = width,
                       .stride = 1,
                       .padding = 1,
                       .spans = spans.x });
  if (doubling) {
    skip.spans = spans.x;
    skip.x = ak_dense (x, pixels, b->in);
    skip.y = ak_dense (memory->small, pixels, b->out);
    ak_conv2d (plan, &skip);
    resize (plan, y, memory->small, height, width, out_height, out_width, b->out, spans.y);
  } else {
    resize (plan, memory->small, x, height, width, out_height, out_width, b->in, spans.y);
    skip.spans = spans.y;
    skip.x = ak_dense (memory->small, out_pixels, b->in);
    skip.y = ak_dense (y, out_pixels, b->out);
    skip.height = out_height;
    skip.width = out_width;
    ak_conv2d (plan, &skip);
  }
  resize (
      plan, memory->resized, memory->hidden, height, width, out_height, out_width, b->in, spans.y);
  ak_conv2d (plan, &(AkConv2d){ .y = ak_dense (y, out_pixels, b->out),
                       .x = ak_dense (memory->resized, out_pixels, b->in),
                       .matrix = b->conv2,
                       .bias = b->bias2,
                       .activation = AK_ACT_LEAKY_RELU,
                       .residual = ak_dense (y, out_pixels, b->out),
                       .batch = 1,
                       .height = out_height,
                       .width = out_width,
                       .stride = 1,
                       .padding = 1,
                       .spans = spans.y });
}
