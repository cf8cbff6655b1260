/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices that are not there say what is missing, and "auto" is then the processor. */
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>

#include "models/device.h"
#include "models/error.h"

static void
assert_missing (const char *device, const char *what)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (am_device_open (device, 0, &error));
  g_assert_error (error, AM_ERROR, AM_ERROR_DEVICE);
  if (!strstr (error->message, device) || !strstr (error->message, what))
    g_error ("\"%s\" does not say \"%s\" and \"%s\"", error->message, device, what);
}

/* Before the folder of the modules is set to others. */
static void
test_works (void)
{
  static const char *const names[] = { "cpu", "cpu:plain", "cuda:host", "cuda" };

  for (size_t i = 0; i < G_N_ELEMENTS (names); i++) {
    AkDevice *dev = ak_device_open (names[i], 2, NULL);

    if (!dev) {
      g_test_message ("%s is not here: %s", names[i], ak_device_problem ());
      continue;
    }
    if (!am_device_works (dev))
      g_error ("%s does not work", names[i]);
    ak_device_unref (dev);
  }
}

/* Who computes convolutions of images on a card. */
static void
test_conv2d_by (void)
{
  AkDevice *dev = ak_device_open ("cuda:host", 0, NULL);

  if (!dev) {
    g_test_skip ("cuda:host is not here");
    return;
  }
  ak_device_unref (dev);
  g_setenv ("ARTALK_CONV2D", "abacus", TRUE);
  assert_missing ("cuda:host", "ARTALK_CONV2D is \"abacus\": auto, own or cudnn are known");
  g_setenv ("ARTALK_CONV2D", "own", TRUE);
  dev = ak_device_open ("cuda:host", 0, NULL);
  g_assert_nonnull (dev);
  ak_device_unref (dev);
  g_unsetenv ("ARTALK_CONV2D");
  g_setenv ("ARTALK_PRODUCTS", "guessed", TRUE);
  assert_missing ("cuda:host", "ARTALK_PRODUCTS is \"guessed\": measured or expected are known");
  g_unsetenv ("ARTALK_PRODUCTS");
}

static void
test_no_module (void)
{
  const char *why;

  g_setenv ("ARTALK_MODULE_DIR", "/nonexistent", TRUE);
  assert_missing ("cuda", "build without CUDA: there is no /nonexistent/libartalkcuda.so");
  assert_missing ("cuda:3", "build without CUDA");
  assert_missing ("cuda:host", "there is no /nonexistent/libartalkcudahost.so");
  g_assert_cmpstr (am_device_resolve ("auto", &why), ==, "cpu");
  g_assert_nonnull (strstr (why, "build without CUDA"));
  g_assert_cmpstr (am_device_resolve (NULL, NULL), ==, "cpu");
  g_assert_cmpstr (am_device_resolve ("cuda", &why), ==, "cuda");
  g_assert_null (why);
}

/* A file that is no module: the driver is missed first, where there is none. */
static void
test_no_card (void)
{
  g_autofree char *folder = g_dir_make_tmp (NULL, NULL);
  g_autofree char *path = g_build_filename (folder, "libartalkcuda.so", NULL);
  g_autofree char *host = g_build_filename (folder, "libartalkcudahost.so", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_true (g_file_set_contents (path, "no module", -1, NULL));
  g_assert_true (g_file_set_contents (host, "no module", -1, NULL));
  g_setenv ("ARTALK_MODULE_DIR", folder, TRUE);
  g_assert_null (am_device_open ("cuda", 0, &error));
  g_assert_true (strstr (error->message, "there is no NVIDIA driver (libcuda.so.1)") ||
                 strstr (error->message, "the CUDA module cannot be opened"));
  assert_missing ("cuda:host", "the CUDA module cannot be opened");
  g_unlink (path);
  g_unlink (host);
  g_rmdir (folder);
}

static void
test_names (void)
{
  static const char *const names[] = { "abacus", "", "cuda:", "cuda:x", "cuda:1x", "cuda:99999999",
    "cpu:1", "cuda:00000000000000000000000000000000000001" };

  for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
    assert_missing (names[i], "no such device");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/device/works", test_works);
  g_test_add_func ("/device/conv2d-by", test_conv2d_by);
  g_test_add_func ("/device/no-module", test_no_module);
  g_test_add_func ("/device/no-card", test_no_card);
  g_test_add_func ("/device/names", test_names);
  return g_test_run ();
}
