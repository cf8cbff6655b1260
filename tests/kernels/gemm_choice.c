/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which way a product is computed: products that are the same, choices that are kept, times that win. */
#include "kernels/cuda/gemm_choice.h"

#include <glib.h>
#include <string.h>

static AkGemm
gemm (void)
{
  return (AkGemm){ .m = 200,
    .n = 1024,
    .k = 4096,
    .batch = 1,
    .x = (const void *) 0x10000,
    .w = (const void *) 0x20000,
    .y = (float *) 0x30000,
    .x_row = 4096,
    .w_row = 4096,
    .y_row = 1024 };
}

static AkGemmKey
key_of (const AkGemm *g)
{
  AkGemmKey key;

  memset (&key, 0xff, sizeof key);
  ak_gemm_key (&key, g, 1);
  return key;
}

static void
assert_same (const AkGemm *a, const AkGemm *b, gboolean same)
{
  AkGemmKey left = key_of (a), right = key_of (b);

  g_assert_cmpint (memcmp (&left, &right, sizeof left) == 0, ==, same);
}

static void
test_key (void)
{
  const AkGemm plain = gemm ();
  AkGemm other = plain;
  AkGemmKey a = key_of (&plain), b;

  other.x = NULL; /* elsewhere, but as well aligned */
  other.x_scratch = 512;
  other.w = (const void *) 0x50000;
  other.scratch = 1024;
  other.c_row = 7; /* of nothing */
  assert_same (&plain, &other, TRUE);
  other.m = 199;
  assert_same (&plain, &other, FALSE);
  other = plain;
  other.y_row = 1032;
  assert_same (&plain, &other, FALSE);
  other = plain;
  other.y = (float *) 0x30010;
  assert_same (&plain, &other, FALSE);
  other = plain;
  other.bias = (const float *) 0x40000;
  assert_same (&plain, &other, FALSE);
  other = plain;
  other.c = plain.y;
  other.c_row = plain.y_row;
  assert_same (&plain, &other, FALSE);
  {
    AkGemm beside = other;

    beside.c = (const float *) 0x40000; /* not in place */
    assert_same (&beside, &other, FALSE);
  }
  other = plain;
  other.bf16 = 1;
  assert_same (&plain, &other, FALSE);
  ak_gemm_key (&b, &plain, 0); /* on another card */
  g_assert_cmpint (memcmp (&a, &b, sizeof a), !=, 0);
}

static void
test_alignment (void)
{
  AkGemm g = gemm ();

  g_assert_cmpuint (key_of (&g).x_align, ==, 256);
  g.x = (const void *) 0x10010;
  g_assert_cmpuint (key_of (&g).x_align, ==, 16);
  g.x_row = 4098;
  g_assert_cmpuint (key_of (&g).x_align, ==, 8);
  g.bf16 = 1;
  g_assert_cmpuint (key_of (&g).x_align, ==, 4);
  g.x_batch = 7;
  g_assert_cmpuint (key_of (&g).x_align, ==, 2);
  g_assert_cmpuint (key_of (&g).w_align, ==, 256);
  g_assert_cmpuint (key_of (&g).c_align, ==, 256); /* that of y */
  g.c = (const float *) 0x40004;
  g_assert_cmpuint (key_of (&g).c_align, ==, 4);
}

static void
test_choices (void)
{
  AkGemmChoices choices = { .bytes = sizeof (double) };
  AkGemm g = gemm ();

  for (size_t i = 1; i <= 100; i++) {
    AkGemmKey key;
    double choice = (double) i;

    g.m = i;
    key = key_of (&g);
    g_assert_null (ak_gemm_find (&choices, &key));
    g_assert_true (ak_gemm_keep (&choices, &key, &choice));
  }
  for (size_t i = 100; i > 0; i--) {
    AkGemmKey key;

    g.m = i;
    key = key_of (&g);
    g_assert_cmpfloat (*(const double *) ak_gemm_find (&choices, &key), ==, (double) i);
  }
  ak_gemm_forget (&choices);
  g_assert_cmpuint (choices.n, ==, 0);
}

#define BEST(...)                                                                                  \
  ak_gemm_best ((const float[]){ __VA_ARGS__ }, sizeof (float[]){ __VA_ARGS__ } / sizeof (float))

static void
test_best (void)
{
  g_assert_cmpuint (BEST (5), ==, 0);
  g_assert_cmpuint (BEST (5, 4, 3, 6), ==, 2);
  g_assert_cmpuint (BEST (5, 4.99f), ==, 0); /* that is nothing */
  g_assert_cmpuint (BEST (-1, 5, -1, 7), ==, 1);
  g_assert_cmpuint (BEST (-1, -1), ==, 2);
}

static void
test_asked (void)
{
  AkGemm g = gemm ();
  int measured = -1;

  g_assert_true (ak_gemm_by (NULL, &measured) && measured == 1);
  g_assert_true (ak_gemm_by ("expected", &measured) && measured == 0);
  g_assert_true (ak_gemm_by ("measured", &measured) && measured == 1);
  g_assert_false (ak_gemm_by ("", &measured));
  g_assert_true (ak_gemm_is_short (&g));
  g.batch = 1000;
  g_assert_false (ak_gemm_is_short (&g));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/gemm/key", test_key);
  g_test_add_func ("/gemm/alignment", test_alignment);
  g_test_add_func ("/gemm/choices", test_choices);
  g_test_add_func ("/gemm/best", test_best);
  g_test_add_func ("/gemm/asked", test_asked);
  return g_test_run ();
}
