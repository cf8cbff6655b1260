/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is handed to a library for convolutions of images: sizes, strides, steps, places in the scratch, and when. */
#include "kernels/cuda/conv2d_graph.h"

#include <glib.h>
#include <string.h>

static float y[8], x[8], bias[8], gate[8], residual[8], noise[8], scale[8];

static AkCudaMatrix
matrix (size_t out, size_t in, size_t side, int bf16)
{
  AkCudaMatrix m = { .base = { .out = out, .in = in, .kernel = side * side, .side = side },
    .n = out,
    .k = in * side * side,
    .bf16 = bf16,
    .data = scale };

  m.kp = bf16 ? (m.k + 7) / 8 * 8 : m.k;
  return m;
}

/* 2 images of 6 × 10 pixels. */
static AkConv2d
conv2d (size_t out, size_t in)
{
  return (AkConv2d){ .y = ak_dense (y, 60, out),
    .x = ak_dense (x, 60, in),
    .batch = 2,
    .height = 6,
    .width = 10,
    .stride = 1,
    .padding = 1 };
}

static void
check_tensor (const AkConvTensor *t, const int64_t size[4], const int64_t stride[4], int bf16)
{
  g_assert_cmpmem (t->size, sizeof t->size, size, 4 * sizeof *size);
  g_assert_cmpmem (t->stride, sizeof t->stride, stride, 4 * sizeof *stride);
  g_assert_cmpint (t->bf16, ==, bf16);
}

#define FOUR(...) ((const int64_t[4]){ __VA_ARGS__ })

static void
test_plain (void)
{
  const AkCudaMatrix m = matrix (24, 16, 3, 0);
  AkConv2d a = conv2d (24, 16);
  AkConvGraph g;

  ak_cuda_conv2d_graph (&g, &a, &m, AK_CONV_SUMS);
  check_tensor (&g.x, FOUR (2, 16, 6, 10), FOUR (960, 1, 160, 16), 0);
  check_tensor (&g.w, FOUR (24, 16, 3, 3), FOUR (144, 1, 48, 16), 0);
  check_tensor (&g.y, FOUR (2, 24, 6, 10), FOUR (1440, 1, 240, 24), 0);
  g_assert_true (g.x_data == x && g.w_data == scale && g.y_data == y);
  g_assert_cmpuint (g.steps, ==, 0);
  g_assert_cmpint (g.padding, ==, 1);
}

/* Images whose pixels lie apart, results with a stride. */
static void
test_strides (void)
{
  const AkCudaMatrix m = matrix (24, 16, 3, 0);
  AkConv2d a = conv2d (24, 16);
  AkConvGraph g;

  a.x.row = 20;
  a.x.batch = 1300;
  a.y = (AkRows){ y, 30, 500 };
  a.stride = 2;
  ak_cuda_conv2d_graph (&g, &a, &m, AK_CONV_SUMS);
  check_tensor (&g.x, FOUR (2, 16, 6, 10), FOUR (1300, 1, 200, 20), 0);
  check_tensor (&g.y, FOUR (2, 24, 3, 5), FOUR (500, 1, 150, 30), 0);
  a.batch = 1; /* without a stride that anybody needs */
  a.x.batch = a.y.batch = 0;
  ak_cuda_conv2d_graph (&g, &a, &m, AK_CONV_SUMS);
  check_tensor (&g.x, FOUR (1, 16, 6, 10), FOUR (1200, 1, 200, 20), 0);
  check_tensor (&g.y, FOUR (1, 24, 3, 5), FOUR (450, 1, 150, 30), 0);
}

/* Everything at once, in the order of the definition. */
static void
test_steps (void)
{
  const AkCudaMatrix m = matrix (24, 16, 3, 1);
  AkConv2d a = conv2d (24, 16);
  AkConvGraph g;

  a.in_scale = (AkRows){ scale, 0, 16 };
  a.out_scale = (AkRows){ scale, 0, 24 };
  a.bias = bias;
  a.noise = (AkRows){ noise, 1, 0 };
  a.activation = AK_ACT_LEAKY_RELU;
  a.gate = (AkRows){ gate, 0, 24 };
  a.residual = (AkRows){ residual, 48, 2880 };
  ak_cuda_conv2d_graph (&g, &a, &m, AK_CONV_ALL);
  g_assert_cmpuint (g.steps, ==, AK_CONV_STEPS);
  g_assert_true (g.y_data == y && !g.x_data);
  check_tensor (&g.x, FOUR (2, 16, 6, 10), FOUR (960, 1, 160, 16), 1);
  check_tensor (&g.w, FOUR (24, 16, 3, 3), FOUR (144, 1, 48, 16), 1);
  check_tensor (&g.y, FOUR (2, 24, 6, 10), FOUR (1440, 1, 240, 24), 0);
  g_assert_cmpint (g.step[0].kind, ==, AK_CONV_MULTIPLY);
  check_tensor (&g.step[0].tensor, FOUR (2, 24, 1, 1), FOUR (24, 1, 24, 24), 0);
  g_assert_cmpint (g.step[1].kind, ==, AK_CONV_ADD);
  check_tensor (&g.step[1].tensor, FOUR (1, 24, 1, 1), FOUR (24, 1, 24, 24), 0);
  g_assert_cmpint (g.step[2].kind, ==, AK_CONV_ADD);
  check_tensor (&g.step[2].tensor, FOUR (1, 1, 6, 10), FOUR (60, 1, 10, 1), 0);
  g_assert_cmpint (g.step[3].kind, ==, AK_CONV_ACTIVATE);
  g_assert_cmpint (g.step[3].activation, ==, AK_ACT_LEAKY_RELU);
  g_assert_cmpint (g.step[4].kind, ==, AK_CONV_MULTIPLY);
  check_tensor (&g.step[4].tensor, FOUR (2, 24, 1, 1), FOUR (24, 1, 24, 24), 0);
  g_assert_cmpint (g.step[5].kind, ==, AK_CONV_ADD);
  check_tensor (&g.step[5].tensor, FOUR (2, 24, 6, 10), FOUR (2880, 1, 480, 48), 0);
  /* what is left reads y */
  ak_cuda_conv2d_graph (&g, &a, &m, AK_CONV_ACTIVATED);
  g_assert_cmpuint (g.steps, ==, 4);
  g_assert_null (g.y_data);
  a = ak_cuda_conv2d_rest (&a, AK_CONV_ACTIVATED);
  g_assert_true (!a.out_scale.data && !a.bias && !a.noise.data && a.activation == AK_ACT_NONE);
  g_assert_true (a.gate.data == gate && a.residual.data == residual);
  a.bias = bias;
  /* a single step gets company */
  a.gate = a.residual = (AkRows){ 0 };
  ak_cuda_conv2d_graph (&g, &a, &m, AK_CONV_ALL);
  g_assert_cmpuint (g.steps, ==, 2);
  g_assert_cmpint (g.step[1].kind, ==, AK_CONV_ACTIVATE);
  g_assert_cmpint (g.step[1].activation, ==, AK_ACT_NONE);
  g_assert_true (g.y_data == y);
  a.out_scale = a.noise = (AkRows){ 0 };
  a.bias = NULL;
  a.activation = AK_ACT_NONE;
  ak_cuda_conv2d_graph (&g, &a, &m, AK_CONV_ALL);
  g_assert_cmpuint (g.steps, ==, 2);
  a.bias = bias;
  /* the sums alone go to the scratch, dense */
  ak_cuda_conv2d_graph (&g, &a, &m, AK_CONV_SUMS);
  g_assert_cmpuint (g.steps, ==, 0);
  g_assert_null (g.y_data);
  check_tensor (&g.y, FOUR (2, 24, 6, 10), FOUR (1440, 1, 240, 24), 0);
}

static void
test_scratch (void)
{
  const AkCudaMatrix m = matrix (24, 16, 3, 0), rounded = matrix (24, 16, 3, 1);
  AkConv2d a = conv2d (24, 16);
  AkConvScratch s;
  AkConvGraph g;

  ak_cuda_conv2d_graph (&g, &a, &m, AK_CONV_SUMS); /* x and y where they are */
  s = ak_cuda_conv2d_scratch (&g, 0, 1000);
  g_assert_cmpuint (s.workspace, ==, 0);
  g_assert_cmpuint (s.total, ==, 1024);
  a.bias = bias;
  ak_cuda_conv2d_graph (
      &g, &a, &rounded, AK_CONV_SUMS); /* 2 · 60 · 16 numbers of 2 bytes, 2 · 60 · 24 of 4 */
  s = ak_cuda_conv2d_scratch (&g, 0, 1);
  g_assert_cmpuint (s.y, ==, 3840);
  g_assert_cmpuint (s.workspace, ==, 3840 + 11520);
  g_assert_cmpuint (s.total, ==, 3840 + 11520 + 256);
  s = ak_cuda_conv2d_scratch (&g, 512, 1); /* behind what somebody else has there */
  g_assert_cmpuint (s.x, ==, 512);
  g_assert_cmpuint (s.y, ==, 512 + 3840);
  g_assert_cmpuint (s.total, ==, 512 + 3840 + 11520 + 256);
  a.in_scale = ak_same (scale);
  ak_cuda_conv2d_graph (&g, &a, &m, AK_CONV_ALL); /* scaled floats */
  s = ak_cuda_conv2d_scratch (&g, 0, 0);
  g_assert_cmpuint (s.y, ==, 7680);
  g_assert_cmpuint (s.total, ==, 7680);
}

static void
test_choice (void)
{
  const AkCudaMatrix m = matrix (24, 16, 3, 0), rounded = matrix (24, 16, 3, 1);
  const AkCudaMatrix padded = matrix (24, 3, 3, 1), large = matrix (128, 64, 3, 0);
  const AkSpan spans[3] = { { 0, 1 } };
  AkConv2d a = conv2d (24, 16);
  AkConvBy by;

  g_assert_true (ak_cuda_conv2d_by (NULL, &by) && by == AK_CONV_BY_AUTO);
  g_assert_true (ak_cuda_conv2d_by ("auto", &by) && by == AK_CONV_BY_AUTO);
  g_assert_true (ak_cuda_conv2d_by ("own", &by) && by == AK_CONV_BY_OWN);
  g_assert_true (ak_cuda_conv2d_by ("cudnn", &by) && by == AK_CONV_BY_LIBRARY);
  g_assert_false (ak_cuda_conv2d_by ("", &by));
  g_assert_false (ak_cuda_conv2d_by ("cuDNN", &by));

  g_assert_false (ak_cuda_conv2d_for_library (&a, &m, AK_CONV_BY_AUTO));
  g_assert_false (ak_cuda_conv2d_for_library (&a, &large, AK_CONV_BY_AUTO));
  g_assert_true (ak_cuda_conv2d_for_library (&a, &m, AK_CONV_BY_LIBRARY));
  g_assert_false (ak_cuda_conv2d_for_library (&a, &rounded, AK_CONV_BY_AUTO));
  g_assert_true (ak_cuda_conv2d_for_library (&a, &rounded, AK_CONV_BY_LIBRARY));
  g_assert_false (ak_cuda_conv2d_for_library (&a, &rounded, AK_CONV_BY_OWN));
  g_assert_false (ak_cuda_conv2d_for_library (&a, &padded, AK_CONV_BY_LIBRARY));
  a.height = a.width = 32;
  g_assert_true (ak_cuda_conv2d_for_library (&a, &large, AK_CONV_BY_AUTO));
  a.spans = spans;
  a.batch = 1;
  g_assert_false (ak_cuda_conv2d_for_library (&a, &large, AK_CONV_BY_AUTO));
  g_assert_true (ak_cuda_conv2d_for_library (&a, &rounded, AK_CONV_BY_AUTO));
  a.spans = NULL;

  a.bias = bias;
  a.activation = AK_ACT_RELU;
  g_assert_cmpint (ak_cuda_conv2d_extent (&a, &m), ==, AK_CONV_ALL);
  a.activation = AK_ACT_LEAKY_RELU;
  g_assert_cmpint (ak_cuda_conv2d_extent (&a, &m), ==, AK_CONV_SUMS);
  g_assert_cmpint (ak_cuda_conv2d_extent (&a, &rounded), ==, AK_CONV_ALL);
  a.residual = a.y;
  g_assert_cmpint (ak_cuda_conv2d_extent (&a, &m), ==, AK_CONV_SUMS);
  g_assert_cmpint (ak_cuda_conv2d_extent (&a, &rounded), ==, AK_CONV_ACTIVATED);
  a.residual.data = residual;
  a.out_scale = ak_same (scale);
  g_assert_cmpint (ak_cuda_conv2d_extent (&a, &rounded), ==, AK_CONV_ALL);
  a.batch = 2;
  g_assert_cmpint (ak_cuda_conv2d_extent (&a, &rounded), ==, AK_CONV_SUMS);
}

/* A plan may be shared by graphs of other addresses, unless these are less aligned. */
static void
test_same (void)
{
  static float other[8] __attribute__ ((aligned (16)));
  static float memory[8] __attribute__ ((aligned (16)));
  const AkCudaMatrix m = matrix (24, 16, 3, 0);
  AkConv2d a = conv2d (24, 16);
  AkConvGraph g, h;

  g_assert_cmpint (ak_cuda_conv2d_alignment (NULL), ==, 16);
  g_assert_cmpint (ak_cuda_conv2d_alignment (memory), ==, 16);
  g_assert_cmpint (ak_cuda_conv2d_alignment (memory + 1), ==, 4);
  g_assert_cmpint (ak_cuda_conv2d_alignment (memory + 2), ==, 8);
  a.x.data = memory;
  a.bias = memory;
  ak_cuda_conv2d_graph (&g, &a, &m, AK_CONV_ALL);
  a.x.data = a.y.data = other;
  a.bias = other;
  ak_cuda_conv2d_graph (&h, &a, &m, AK_CONV_ALL);
  g_assert_true (ak_cuda_conv2d_same (&g, &h));
  a.bias = other + 1;
  ak_cuda_conv2d_graph (&h, &a, &m, AK_CONV_ALL);
  g_assert_false (ak_cuda_conv2d_same (&g, &h));
  g_assert_true (ak_cuda_conv2d_same (&h, &g));
  a.bias = other;
  a.x.row = 20;
  ak_cuda_conv2d_graph (&h, &a, &m, AK_CONV_ALL);
  g_assert_false (ak_cuda_conv2d_same (&g, &h));
  a.x.row = 16;
  a.activation = AK_ACT_RELU;
  ak_cuda_conv2d_graph (&h, &a, &m, AK_CONV_ALL);
  g_assert_false (ak_cuda_conv2d_same (&g, &h));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/conv2d-graph/plain", test_plain);
  g_test_add_func ("/conv2d-graph/strides", test_strides);
  g_test_add_func ("/conv2d-graph/steps", test_steps);
  g_test_add_func ("/conv2d-graph/scratch", test_scratch);
  g_test_add_func ("/conv2d-graph/choice", test_choice);
  g_test_add_func ("/conv2d-graph/same", test_same);
  return g_test_run ();
}
