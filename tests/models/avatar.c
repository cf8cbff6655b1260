/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Avatars in use: the built-in one in pictures of all kinds, bad motion, cancelling, bad files. */
#include "models/avatar_priv.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "models/paths.h"
#include "models/safetensors.h"

static AmAvatarModel *model;
static AmHead *head;
static AmAvatar *avatar;
static char *folder;

static AmAvatarView *
view_new (void)
{
  g_autoptr (GError) error = NULL;
  AmAvatarView *view = am_avatar_view_new (avatar, head, NULL, &error);

  g_assert_no_error (error);
  return view;
}

/* A head that looks straight at the camera and says nothing. */
static float *
still (void)
{
  return g_new0 (float, am_head_info (head)->expressions + 6);
}

static uint8_t *
draw (AmAvatarView *view, const float *motion, AmPixels pixels, gboolean alpha, unsigned width,
    unsigned height)
{
  size_t bytes = pixels < AM_PIXELS_RGB ? 4 : 3;
  uint8_t *out = g_malloc0 (bytes * width * height);
  AmPicture picture = { .pixels = pixels,
    .alpha = alpha,
    .width = width,
    .height = height,
    .plane = { out },
    .stride = { (ptrdiff_t) (bytes * width) } };
  g_autoptr (GError) error = NULL;

  am_avatar_view_draw (view, motion, &picture, NULL, &error);
  g_assert_no_error (error);
  return out;
}

static void
test_pictures (void)
{
  g_autoptr (AmAvatarView) view = view_new ();
  g_autofree float *motion = still ();
  unsigned side = am_avatar_model_info (model)->side;
  g_autofree uint8_t *whole = draw (view, motion, AM_PIXELS_RGBA, TRUE, side, side);
  g_autofree uint8_t *wide = NULL, *small = NULL, *tiny = NULL, *again = NULL;
  size_t covered = 0, n = (size_t) side * side, middle = 4 * (n / 2 + side / 2);

  for (size_t i = 0; i < n; i++)
    covered += whole[4 * i + 3] > 127;
  g_assert_cmpuint (covered, >, n / 10); /* there is a head */
  g_assert_cmpuint (covered, <, n - n / 10);
  g_assert_cmpuint (whole[middle + 3], >, 250);
  g_assert_cmpuint (whole[3], ==, 0);
  am_avatar_view_set_background (view, 0xff102030);
  wide = draw (view, motion, AM_PIXELS_RGB, FALSE, 320, 180);
  for (unsigned y = 0; y < 180; y++) /* left of the square */
    g_assert_cmpmem (wide + 3 * 320 * y, 3, "\x10\x20\x30", 3);
  g_assert_cmpmem (wide + 3 * (320 + 160), 3, "\x10\x20\x30", 3); /* above the head, inside */
  g_assert_cmpuint (wide[3 * (90 * 320 + 160)], >, 0x40);         /* a face */
  small = draw (view, motion, AM_PIXELS_BGRA, TRUE, 33, 64);
  g_assert_cmpuint (small[4 * (32 * 33 + 16) + 3], >, 200);
  g_assert_cmpuint (small[3], ==, 0);
  tiny = draw (view, motion, AM_PIXELS_RGB, FALSE, 1, 1);
  again = draw (view, motion, AM_PIXELS_RGBA, TRUE, side, side);
  g_assert_cmpmem (again, 4 * n, whole, 4 * n); /* the same frame, the same bytes */
}

static void
test_yuv (void)
{
  g_autoptr (AmAvatarView) view = view_new ();
  g_autofree float *motion = still ();
  g_autofree uint8_t *planes = g_malloc0 (101 * 77 * 2);
  AmPicture picture = { .pixels = AM_PIXELS_I420,
    .alpha = TRUE, /* which the format has not */
    .width = 101,
    .height = 77,
    .plane = { planes, planes + 101 * 77, planes + 101 * 77 + 51 * 39 },
    .stride = { 101, 51, 51 } };
  g_autoptr (GError) error = NULL;

  am_avatar_view_set_background (view, 0xffffffff);
  g_assert_true (am_avatar_view_draw (view, motion, &picture, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (planes[0], ==, 235); /* white */
  g_assert_cmpuint (planes[38 * 101 + 50], <, 230);
  picture.width = 0;
  g_assert_false (am_avatar_view_draw (view, motion, &picture, NULL, &error));
  g_assert_nonnull (error);
}

/* The network computes no more than what is seen, and that as if it computed all, whatever the last frames were. */
static void
test_wanted (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (AmAvatarView) view = view_new (),
                           all = am_avatar_view_new_inside (avatar, head, NULL, &error);
  unsigned side = am_avatar_model_info (model)->side;
  size_t n = 4 * (size_t) side * side, at = am_head_info (head)->expressions;
  g_autofree float *motion = still (), *want = g_new (float, n), *rgba = g_new (float, n);

  g_assert_no_error (error);
  for (unsigned i = 0; i < 8; i++) {
    motion[at] =
        0.3f *
        sinf (2.1f * (float) i); /* nods, turns, leans, far beyond what heads do in the end */
    motion[at + 1] = i < 6 ? 0.8f * sinf (1.3f * (float) i) : 3;
    motion[at + 2] = i < 6 ? 0.2f * cosf (3.7f * (float) i) : 1.5f;
    motion[at + 3] = 0.05f * (float) i;
    g_assert_true (am_avatar_view_run (all, motion, i % 2, want, NULL, &error));
    g_assert_true (am_avatar_view_run (view, motion, i % 2, rgba, NULL, &error));
    g_assert_cmpmem (rgba, n * sizeof *rgba, want, n * sizeof *want);
  }
}

/* Whatever comes, numbers go out; and the next good frame is as if nothing had been. */
static void
test_bad_motion (void)
{
  static const float bad[] = { NAN, INFINITY, -INFINITY, 1e30f, -1e38f, 1e6f };
  g_autoptr (AmAvatarView) view = view_new ();
  unsigned side = am_avatar_model_info (model)->side;
  size_t n = 4 * (size_t) side * side, dim = am_head_info (head)->expressions + 6;
  g_autofree float *motion = still (), *zero = still (), *first = g_new (float, n),
                   *rgba = g_new (float, n);
  g_autoptr (GError) error = NULL;

  g_assert_true (am_avatar_view_run (view, zero, TRUE, first, NULL, &error));
  for (unsigned k = 0; k < G_N_ELEMENTS (bad); k++) {
    for (size_t i = 0; i < dim; i++)
      motion[i] = i % 3 == k % 3 ? bad[k] : 0;
    g_assert_true (am_avatar_view_run (view, motion, TRUE, rgba, NULL, &error));
    for (size_t i = 0; i < n; i++)
      g_assert_true (rgba[i] >= 0 && rgba[i] <= 1);
  }
  for (size_t i = 0; i < dim; i++)
    motion[i] = NAN;
  g_assert_true (am_avatar_view_run (view, motion, TRUE, rgba, NULL, &error));
  g_assert_cmpmem (rgba, n * sizeof *rgba, first, n * sizeof *first); /* NaN counts as 0 */
}

static void
test_cancel (void)
{
  g_autoptr (AmAvatarView) view = view_new ();
  g_autofree float *motion = still ();
  g_autoptr (GError) error = NULL;
  atomic_int cancel = 1;

  g_assert_false (am_avatar_view_run (view, motion, FALSE, NULL, &cancel, &error));
  g_assert_error (error, AM_ERROR, AM_ERROR_CANCELLED);
  g_clear_error (&error);
  atomic_store (&cancel, 0);
  g_assert_true (am_avatar_view_run (view, motion, FALSE, NULL, &cancel, &error));
}

/* While the network is loaded; afterwards it can be loaded. The folder is where the file is. */
static void
test_cancel_loading (void)
{
  g_autofree char *file = am_data_path ("avatar.safetensors");
  g_autofree char *path = g_path_get_dirname (file);
  g_autoptr (GError) error = NULL;
  g_autoptr (AmAvatarModel) own = am_avatar_model_open (path, "cpu", AK_F32, 1, &error);
  g_autoptr (AmAvatar) one = NULL;
  g_autoptr (AmAvatarView) view = NULL;
  atomic_int cancel = 1;
  AmAvatarOptions options = { .cancel = &cancel };

  g_assert_no_error (error);
  one = am_avatar_prepare (own, NULL, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_null (am_avatar_view_new (one, head, &options, &error));
  g_assert_error (error, AM_ERROR, AM_ERROR_CANCELLED);
  g_clear_error (&error);
  atomic_store (&cancel, 0);
  view = am_avatar_view_new (one, head, &options, &error);
  g_assert_no_error (error);
}

static void
test_refused (void)
{
  static const uint8_t mark[4 * 3 * 40] = { 0 };
  static const uint32_t twice[] = { 1, 2, 1 }, beyond[] = { 1u << 30 };
  AmAvatarOptions options = { .watermark = mark, .watermark_width = 3, .watermark_height = 40 };
  g_autofree char *path = g_build_filename (folder, "x.safetensors", NULL);
  g_autoptr (GError) error = NULL;
  const float one = 1;
  const AmTensor t = {
    .name = "head_base", .dtype = AM_F32, .n_dims = 2, .shape = { 1, 1 }, .data = &one
  };
  static const struct
  {
    const char *metadata[5], *words;
  } files[] = {
    { { NULL }, "not an avatar model" },
    { { "format", "artalk-avatar-9", NULL }, "format: must be \"artalk-avatar-1\"" },
    { { "format", "artalk-avatar-1", NULL }, "config: is missing" },
    { { "format", "artalk-avatar-1", "config", "[1]", NULL }, "config: is no JSON object" },
    { { "format", "artalk-avatar-1", "config", "{\"side\": 1e9}", NULL },
        "\"side\" must be a number" },
    { { "format", "artalk-avatar-1", "config", "{\"side\": \"512\"}", NULL }, "\"side\" must be" },
    { { "format", "artalk-avatar-1", "config",
          "{\"side\": 512, \"network_side\": 300, \"channels\": 32, \"vertices\": 9, \"faces\": 9, "
          "\"scale\": 5, \"distance\": 10, \"thickness\": 0}" },
        "1, 2 or 4 times" },
  };

  g_assert_null (am_avatar_view_new (avatar, head, &options, &error));
  g_assert_nonnull (strstr (error->message, "watermark: 3x40 pixels"));
  g_clear_error (&error);
  options = (AmAvatarOptions){ .average = twice, .n_average = 3 };
  g_assert_null (am_avatar_view_new (avatar, head, &options, &error));
  g_assert_nonnull (strstr (error->message, "averaged vertices: 1 is named twice"));
  g_clear_error (&error);
  options = (AmAvatarOptions){ .average = beyond, .n_average = 1 };
  g_assert_null (am_avatar_view_new (avatar, head, &options, &error));
  g_clear_error (&error);
  g_assert_false (am_avatar_write (avatar, path, &error));
  g_assert_error (error, AM_ERROR, AM_ERROR_MISMATCH);
  g_clear_error (&error);
  for (unsigned i = 0; i < G_N_ELEMENTS (files); i++) {
    g_autoptr (GError) why = NULL;

    g_assert_true (am_safetensors_write (path, &t, 1, files[i].metadata, &error));
    g_assert_null (am_avatar_model_open (path, NULL, AK_F32, 0, &why));
    if (!strstr (why->message, files[i].words))
      g_error ("\"%s\" does not say \"%s\"", why->message, files[i].words);
  }
  g_unlink (path);
  g_assert_null (am_avatar_model_open (path, NULL, AK_F32, 0, &error));
  g_assert_error (error, AM_ERROR, AM_ERROR_OPEN);
  g_clear_error (&error);
  g_assert_null (am_avatar_model_open (NULL, "abacus", AK_F32, 0, &error));
  g_assert_error (error, AM_ERROR, AM_ERROR_DEVICE);
}

static void
test_shared (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (AmAvatarModel) same = am_avatar_model_open (NULL, NULL, AK_F32, 0, &error);

  g_assert_true (same == model);
}

int
main (int argc, char **argv)
{
  g_autofree char *file = am_data_path ("avatar.safetensors");
  g_autoptr (GError) error = NULL;
  int result;

  g_test_init (&argc, &argv, NULL);
  if (!g_file_test (file, G_FILE_TEST_EXISTS)) {
    g_print ("1..0 # SKIP %s is not there\n", file);
    return 77;
  }
  model = am_avatar_model_open (NULL, NULL, AK_F32, 0, &error);
  g_assert_no_error (error);
  head = am_head_open (NULL, &error);
  g_assert_no_error (error);
  avatar = am_avatar_prepare (model, NULL, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  folder = g_dir_make_tmp (NULL, NULL);
  g_assert_nonnull (folder);
  g_test_add_func ("/avatar/pictures", test_pictures);
  g_test_add_func ("/avatar/yuv", test_yuv);
  g_test_add_func ("/avatar/wanted", test_wanted);
  g_test_add_func ("/avatar/bad-motion", test_bad_motion);
  g_test_add_func ("/avatar/cancel", test_cancel);
  g_test_add_func ("/avatar/cancel-loading", test_cancel_loading);
  g_test_add_func ("/avatar/refused", test_refused);
  g_test_add_func ("/avatar/shared", test_shared);
  result = g_test_run ();
  g_rmdir (folder);
  g_free (folder);
  am_avatar_unref (avatar);
  am_head_unref (head);
  am_avatar_model_unref (model);
  return result;
}
