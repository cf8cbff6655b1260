/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The StyleUNet: devices against plain C, noise, cancelling, and tensors that do not fit. */
#include <glib.h>
#include <math.h>

#include "models/error.h"
#include "models/styleunet.h"
#include "styleunet_synth.h"
#include "synth.h"

/* Widths that fill no vector, and more than one panel. */
static const StyleunetSizes sizes = {
  .levels = 4, .width = { 20, 20, 17, 12, 9 }, .features = 7, .style = 24
};

typedef struct
{
  AkDevice *dev;
  AkQueue *queue;
  AkPlan *plan;
  AmWeights *weights;
  AmPart *part;
  AmStyleunet *w;
  float *x, *y;
  uint64_t *seed;
  size_t n; /* of y */
} Net;

static void
net_open_as (Net *net, const char *device, AkPrecision precision, AmNoise noise)
{
  g_autoptr (GError) error = NULL;
  g_autofree float *values = NULL;
  size_t pixels, n;
  AkStatus status;

  net->dev = ak_device_open (device, 2, &status);
  net->queue = ak_queue_new (net->dev);
  net->plan = ak_plan_new (net->dev);
  net->weights = styleunet_synth (&sizes, &error);
  g_assert_no_error (error);
  net->part = am_part_new (net->dev, precision, net->weights);
  net->w = am_styleunet_load (net->part, "");
  am_part_finish (net->part, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (am_styleunet_info (net->w)->side, ==, 64);
  g_assert_cmpuint (am_styleunet_info (net->w)->features, ==, sizes.features);
  g_assert_cmpuint (am_styleunet_info (net->w)->colours, ==, 3);
  pixels = am_styleunet_info (net->w)->side * am_styleunet_info (net->w)->side;
  n = pixels * sizes.features;
  net->n = pixels * 3;
  net->x = ak_plan_memory (net->plan, n * sizeof (float));
  net->y = ak_plan_memory (net->plan, net->n * sizeof (float));
  net->seed = ak_plan_memory (net->plan, sizeof *net->seed);
  values = g_new (float, n);
  synth_uniform (values, 0, n, 0, "x", 0, 2);
  ak_upload (net->queue, net->x, values, n * sizeof *values);
  am_styleunet_record (net->w, net->plan, net->y, net->x, noise, net->seed, NULL, NULL);
  g_assert_cmpint (ak_plan_finish (net->plan), ==, AK_OK);
}

static void
net_open (Net *net, const char *device, AmNoise noise)
{
  net_open_as (net, device, AK_F32, noise);
}

static float *
net_run (Net *net)
{
  float *got = g_new (float, net->n);

  g_assert_cmpint (ak_plan_run (net->plan, net->queue, NULL), ==, AK_OK);
  ak_download (net->queue, got, net->y, net->n * sizeof *got);
  g_assert_cmpint (ak_queue_sync (net->queue), ==, AK_OK);
  return got;
}

static void
net_close (Net *net)
{
  ak_plan_free (net->plan);
  am_styleunet_free (net->w);
  am_part_free (net->part);
  am_weights_unref (net->weights);
  ak_queue_free (net->queue);
  ak_device_unref (net->dev);
}

/* Largest difference. */
static double
distance (const float *a, const float *b, size_t n)
{
  double worst = 0;

  for (size_t i = 0; i < n; i++) {
    double d = fabs ((double) a[i] - b[i]);

    if (!(d <= worst))
      worst = d;
  }
  return worst;
}

static void
test_devices (gconstpointer data)
{
  for (int noise = AM_NOISE_FIXED; noise <= AM_NOISE_RANDOM; noise++) {
    Net plain, net;
    g_autofree float *want = NULL, *got = NULL, *again = NULL, *next = NULL;

    net_open (&plain, "cpu:plain", (AmNoise) noise);
    net_open (&net, data, (AmNoise) noise);
    want = net_run (&plain);
    next = net_run (&plain);
    got = net_run (&net);
    again = net_run (&net);
    g_assert_cmpfloat (distance (want, got, net.n), <, 3e-6);
    g_assert_cmpfloat (distance (next, again, net.n), <, 3e-6);
    /* the same picture, to the byte, unless noise is new every time */
    if (noise == AM_NOISE_RANDOM)
      g_assert_cmpfloat (distance (got, again, net.n), >, 1e-3);
    else
      g_assert_cmpfloat (distance (got, again, net.n), ==, 0);
    net_close (&plain);
    net_close (&net);
  }
}

/* bfloat16 is near: the root mean square of the difference is below 2 % of the picture's. Weights of convolutions are
 * bfloat16 on cards only. */
static void
test_bfloat16 (gconstpointer data)
{
  AkDevice *dev = ak_device_open (data, 2, NULL);
  Net plain, net;
  g_autofree float *want = NULL, *got = NULL;
  double error = 0, size = 0;

  if (!dev) {
    g_test_skip (ak_device_problem ());
    return;
  }
  ak_device_unref (dev);
  net_open (&plain, "cpu:plain", AM_NOISE_FIXED);
  net_open_as (&net, data, AK_BF16, AM_NOISE_FIXED);
  want = net_run (&plain);
  got = net_run (&net);
  for (size_t i = 0; i < net.n; i++) {
    error += ((double) got[i] - want[i]) * ((double) got[i] - want[i]);
    size += (double) want[i] * want[i];
  }
  g_test_message ("%s: error %.2g of the picture, %.2g at most", (const char *) data,
      sqrt (error / size), distance (want, got, net.n));
  g_assert_cmpfloat (sqrt (error / size), <, 0.02);
  if (g_str_has_prefix (data, "cuda"))
    g_assert_cmpfloat (error, >, 0);
  net_close (&plain);
  net_close (&net);
}

static void
test_noise (void)
{
  Net fixed, none;
  g_autofree float *a = NULL, *b = NULL;

  net_open (&fixed, "cpu", AM_NOISE_FIXED);
  net_open (&none, "cpu", AM_NOISE_NONE);
  a = net_run (&fixed);
  b = net_run (&none);
  g_assert_cmpfloat (distance (a, b, fixed.n), >, 1e-3);
  for (size_t i = 0; i < fixed.n; i++)
    g_assert_true (a[i] > 0 && a[i] < 1);
  net_close (&fixed);
  net_close (&none);
}

static void
test_cancel (void)
{
  atomic_int cancel = 1;
  Net net;

  net_open (&net, "cpu", AM_NOISE_FIXED);
  g_assert_cmpint (ak_plan_run (net.plan, net.queue, &cancel), ==, AK_OK);
  g_assert_cmpint (ak_queue_sync (net.queue), ==, AK_CANCELLED);
  net_close (&net);
}

/* Every tensor left out, and every axis of every tensor made longer. */
static void
test_refused (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (AmWeights) all = styleunet_synth (&sizes, &error);
  AkStatus status;
  AkDevice *dev = ak_device_open ("cpu:plain", 1, &status);

  g_assert_no_error (error);
  for (size_t i = 0; i < am_weights_count (all); i++) {
    const AmTensor *t = am_weights_nth (all, i);

    for (unsigned k = 0; k <= t->n_dims; k++) {
      StyleunetSizes wrong = sizes;
      g_autoptr (GError) refused = NULL;
      g_autoptr (AmWeights) weights = NULL;
      g_autoptr (AmPart) part = NULL;
      AmStyleunet *w;

      if (g_str_equal (t->name, "conv_body_first.weight") && k == 1)
        continue; /* how many features there are is for this tensor to say */
      if (k == t->n_dims) {
        wrong.left_out = t->name;
      } else {
        wrong.grown = t->name;
        wrong.axis = k;
      }
      weights = styleunet_synth (&wrong, &error);
      g_assert_no_error (error);
      part = am_part_new (dev, AK_F32, weights);
      w = am_styleunet_load (part, "");
      if (am_part_finish (part, &refused))
        g_error ("%s, axis %u: not refused", t->name, k);
      g_assert_null (w);
      g_assert_true (refused->domain == AM_ERROR);
      g_assert_cmpint (refused->code, ==, wrong.left_out ? AM_ERROR_MISSING : AM_ERROR_SHAPE);
    }
  }
  ak_device_unref (dev);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/styleunet/cpu", "cpu", test_devices);
  g_test_add_data_func ("/styleunet/cpu-onednn", "cpu:onednn", test_devices);
  g_test_add_data_func ("/styleunet/bf16/cpu", "cpu", test_bfloat16);
  g_test_add_data_func ("/styleunet/bf16/cuda-host", "cuda:host", test_bfloat16);
  g_test_add_data_func ("/styleunet/bf16/cuda", "cuda", test_bfloat16);
  g_test_add_func ("/styleunet/noise", test_noise);
  g_test_add_func ("/styleunet/cancel", test_cancel);
  g_test_add_func ("/styleunet/refused", test_refused);
  return g_test_run ();
}
