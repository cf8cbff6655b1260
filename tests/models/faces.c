/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Built-in faces: each is described, moves and draws; its lids and lips meet; what is no face is refused in one line. */
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "models/head.h"
#include "models/meshview.h"
#include "models/safetensors.h"

#define SIDE 128
#define DIM 106
#define JAW 103
#define JAW_FULL 0.4311f /* radians at which mouthClose 1 shuts the lips */

typedef struct
{
  AmHead *head;
  AmPoser *poser;
  float motion[DIM];
  float *vertices;
} Face;

static void
face_open (Face *f, const char *name)
{
  g_autoptr (GError) error = NULL;

  memset (f, 0, sizeof *f);
  f->head = am_head_open (name, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (am_head_info (f->head)->expressions + 6, ==, DIM);
  f->poser = am_poser_new (f->head, "cpu", NULL, 0, 1, &error);
  g_assert_no_error (error);
  f->vertices = g_new (float, 3 * am_head_info (f->head)->vertices);
}

static void
face_close (Face *f)
{
  am_poser_free (f->poser);
  am_head_unref (f->head);
  g_free (f->vertices);
}

/* Sets the channel, or both of its sides. */
static void
set (Face *f, const char *name, float value)
{
  const char *const *channels = am_head_info (f->head)->channels;
  unsigned n = 0;

  for (unsigned i = 0; channels[i]; i++)
    if (g_str_has_prefix (channels[i], name)) {
      f->motion[i] = value;
      n++;
    }
  g_assert_cmpuint (n, >=, 1);
  g_assert_cmpuint (n, <=, 2);
}

static void
pose (Face *f)
{
  g_autoptr (GError) error = NULL;

  am_poser_run (f->poser, f->motion, f->vertices, &error);
  g_assert_no_error (error);
}

/* Mean height of a region, millimetres. */
static float
height (const Face *f, const char *region)
{
  size_t n;
  const uint32_t *rows = am_head_region (f->head, region, &n);
  float sum = 0;

  g_assert_nonnull (rows);
  for (size_t i = 0; i < n; i++)
    sum += 1000 * f->vertices[3 * rows[i] + 1];
  return sum / (float) n;
}

static float
lids (const Face *f, const char *side)
{
  g_autofree char *upper = g_strconcat ("eyelid_upper_", side, NULL);
  g_autofree char *lower = g_strconcat ("eyelid_lower_", side, NULL);

  return height (f, upper) - height (f, lower);
}

static float
lips (const Face *f)
{
  return height (f, "inner_lip_upper") - height (f, "inner_lip_lower");
}

/* Opens the eyes and shuts them; shuts the mouth, opens it by the jaw, shuts the lips over that. `rest` and `shut`: how far
 * the lips' inner rims stand apart with lips that touch, learnt from the built-in head (`name` NULL). Rims are rounder or flatter from face to face. */
static void
move_one (const char *name, float *rest, float *shut)
{
  Face f;

  face_open (&f, name);
  pose (&f);
  for (int side = 0; side < 2; side++)
    g_assert_cmpfloat (lids (&f, side ? "left" : "right"), >, 5);
  *rest = name ? *rest : lips (&f);
  g_assert_cmpfloat (lips (&f), <, *rest + 1);
  set (&f, "eyeBlink", 1);
  f.motion[JAW] = 0.3f;
  pose (&f);
  for (int side = 0; side < 2; side++) {
    g_assert_cmpfloat (lids (&f, side ? "left" : "right"), <, 0.2f);
    g_assert_cmpfloat (lids (&f, side ? "left" : "right"), >, -1.5f);
  }
  g_assert_cmpfloat (lips (&f), >, 8);
  set (&f, "mouthClose", 0.3f / JAW_FULL);
  pose (&f);
  *shut = name ? *shut : lips (&f);
  g_assert_cmpfloat (lips (&f), <, *shut + 1);
  face_close (&f);
}

static void
test_move (void)
{
  g_auto (GStrv) names = am_face_list ();
  float rest, shut;

  g_assert_cmpuint (g_strv_length (names), >=, 6);
  move_one (NULL, &rest, &shut);
  g_assert_cmpfloat (fabsf (rest), <, 2); /* the rims are round */
  g_assert_cmpfloat (fabsf (shut), <, 2);
  for (char **name = names; *name; name++) {
    g_test_message ("%s", *name);
    move_one (*name, &rest, &shut);
  }
}

/* The picture of a face at rest, RGBA. (transfer full) */
static guint8 *
draw (const char *name)
{
  guint8 *pixels = g_malloc0 (4 * SIDE * SIDE);
  AmPicture picture = { .pixels = AM_PIXELS_RGBA,
    .alpha = TRUE,
    .width = SIDE,
    .height = SIDE,
    .plane = { pixels },
    .stride = { 4 * SIDE } };
  g_autoptr (AmMeshView) view = NULL;
  g_autoptr (GError) error = NULL;
  Face f;

  face_open (&f, name);
  pose (&f);
  view = am_mesh_view_new (f.head, "cpu", AM_LOOK_COLOR, TRUE, 1, &error);
  g_assert_no_error (error);
  am_mesh_view_draw (view, f.vertices, &picture, &error);
  g_assert_no_error (error);
  face_close (&f);
  return pixels;
}

/* Pixels in which two pictures differ by more than 24 of 255. */
static unsigned
differing (const guint8 *a, const guint8 *b)
{
  unsigned n = 0;

  for (size_t i = 0; i < SIDE * SIDE; i++) {
    gboolean far = FALSE;

    for (int k = 0; k < 4; k++)
      far |= ABS (a[4 * i + k] - b[4 * i + k]) > 24;
    n += far;
  }
  return n;
}

static void
test_draw (void)
{
  g_auto (GStrv) names = am_face_list ();
  g_autoptr (GPtrArray) pictures = g_ptr_array_new_with_free_func (g_free);

  g_ptr_array_add (pictures, draw (NULL));
  for (char **name = names; *name; name++) {
    guint8 *new = draw (*name);
    unsigned covered = 0;

    for (size_t i = 0; i < SIDE * SIDE; i++)
      covered += new[4 * i + 3] == 255;
    g_assert_cmpuint (covered, >,
        SIDE * SIDE / 4); /* and it is in the picture's middle, where the first one is */
    g_assert_cmpuint (covered, <, SIDE * SIDE * 3 / 4);
    g_assert_cmpuint (new[4 * (SIDE / 2 * SIDE + SIDE / 2) + 3], ==, 255);
    for (guint i = 0; i < pictures->len; i++)
      g_assert_cmpuint (differing (new, g_ptr_array_index (pictures, i)), >, SIDE * SIDE / 20);
    g_ptr_array_add (pictures, new);
  }
}

/* Posing and drawing in one is as doing one after the other, whatever the view drew before and with whom. */
static void
test_draw_motion (void)
{
  g_autofree guint8 *two = g_malloc0 (4 * SIDE * SIDE), *one = g_malloc0 (4 * SIDE * SIDE);
  AmPicture picture = { .pixels = AM_PIXELS_RGBA,
    .width = SIDE,
    .height = SIDE,
    .plane = { two },
    .stride = { 4 * SIDE } };
  g_autoptr (AmMeshView) view = NULL;
  g_autoptr (GError) error = NULL;
  Face f;

  face_open (&f, NULL);
  view = am_mesh_view_new (f.head, "cpu", AM_LOOK_COLOR, TRUE, 1, &error);
  g_assert_no_error (error);
  for (int i = 0; i < 3; i++) {
    const float shape = (float) i;

    f.motion[JAW] = 0.1f * (float) (i + 1);
    am_poser_free (f.poser);
    f.poser = am_poser_new (f.head, "cpu", &shape, 1, 1, &error);
    g_assert_no_error (error);
    pose (&f);
    picture.plane[0] = two;
    am_mesh_view_draw (view, f.vertices, &picture, &error);
    g_assert_no_error (error);
    for (int again = 0; again < 2; again++) {
      memset (one, 0, 4 * SIDE * SIDE);
      picture.plane[0] = one;
      am_mesh_view_draw_motion (view, f.poser, f.motion, &picture, &error);
      g_assert_no_error (error);
      g_assert_cmpmem (one, 4 * SIDE * SIDE, two, 4 * SIDE * SIDE);
    }
  }
  face_close (&f);
}

/* The brightest colourless pixel near the lips, of 255, and how far these are apart: teeth are white, skin and lips are
 * not. */
static unsigned
teeth (Face *f, float jaw, float *apart)
{
  enum { WIDE = 512, FAR = 20 };
  g_autofree guint8 *pixels = g_malloc0 (4 * WIDE * WIDE);
  AmPicture picture = { .pixels = AM_PIXELS_RGBA,
    .width = WIDE,
    .height = WIDE,
    .plane = { pixels },
    .stride = { 4 * WIDE } };
  g_autoptr (AmMeshView) view = NULL;
  g_autoptr (GError) error = NULL;
  unsigned brightest = 0, row;

  f->motion[JAW] = jaw;
  pose (f);
  view = am_mesh_view_new (f->head, "cpu", AM_LOOK_COLOR, TRUE, 1, &error);
  g_assert_no_error (error);
  am_mesh_view_draw (view, f->vertices, &picture, &error);
  g_assert_no_error (error);
  *apart = lips (f);
  row = (unsigned) (WIDE / 2 - 6 * WIDE * height (f, "inner_lip_upper") / 1900);
  for (unsigned y = row - FAR; y < row + FAR; y++)
    for (unsigned x = WIDE / 2 - FAR; x < WIDE / 2 + FAR; x++) {
      const guint8 *p = pixels + 4 * (WIDE * (gsize) y + x);

      if (ABS (p[0] - p[1]) < 32 && ABS (p[0] - p[2]) < 64 && p[1] > brightest)
        brightest = p[1];
    }
  return brightest;
}

/* Teeth are bright in an open mouth and dark behind a slit. */
static void
test_mouth (void)
{
  float apart;
  Face f;

  face_open (&f, NULL);
  g_assert_cmpuint (teeth (&f, 0.3f, &apart), >, 120);
  g_assert_cmpfloat (apart, >, 8);
  g_assert_cmpuint (teeth (&f, 0.03f, &apart), <, 90);
  g_assert_cmpfloat (apart, >, 3);
  g_assert_cmpfloat (apart, <, 5);
  face_close (&f);
}

static void
test_list (void)
{
  g_auto (GStrv) names = am_face_list ();
  g_autofree char *none = NULL;
  g_autoptr (GError) error = NULL;

  for (char **name = names; *name; name++) {
    g_autofree char *text = am_face_describe (*name, &error);

    g_assert_no_error (error);
    g_assert_cmpuint (strlen (text), >, 10);
    g_assert_null (strchr (text, '\n'));
  }
  none = am_face_describe ("nobody", &error);
  g_assert_null (none);
  g_assert_error (error, AM_ERROR, AM_ERROR_OPEN);
}

static void
refuse (const char *path, int code, const char *word)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (am_head_open (path, &error));
  g_assert_error (error, AM_ERROR, code);
  g_assert_nonnull (strstr (error->message, word));
  g_assert_null (strchr (error->message, '\n'));
}

/* A file of `shape` [n_shape] of 0.5 and `second` of the given rows of 3 floats, all `value`. */
static void
write_face (const char *path, size_t n_shape, const char *second, size_t rows, float value)
{
  g_autofree float *shape = g_new (float, n_shape + 1), *more = g_new (float, 3 * rows + 1);
  g_autoptr (GError) error = NULL;
  AmTensor tensors[2] = {
    { .name = "shape", .dtype = AM_F32, .n_dims = 1, .shape = { n_shape }, .n = n_shape },
    { .name = second, .dtype = AM_F32, .n_dims = 2, .shape = { rows, 3 }, .n = 3 * rows },
  };

  for (size_t i = 0; i < n_shape; i++)
    shape[i] = 0.5f;
  for (size_t i = 0; i < 3 * rows; i++)
    more[i] = value;
  tensors[0].data = shape;
  tensors[0].bytes = n_shape * sizeof (float);
  tensors[1].data = more;
  tensors[1].bytes = 3 * rows * sizeof (float);
  am_safetensors_write (path, tensors, 2, NULL, &error);
  g_assert_no_error (error);
}

static void
test_bad (void)
{
  g_autofree char *folder = g_dir_make_tmp (NULL, NULL);
  g_autofree char *path = g_build_filename (folder, "face.safetensors", NULL);
  Face f;
  size_t V;

  face_open (&f, NULL);
  V = am_head_info (f.head)->vertices;
  refuse ("nobody", AM_ERROR_OPEN, "built-in face");
  refuse ("/nonexistent/nobody", AM_ERROR_OPEN, "/nonexistent/nobody");
  write_face (path, am_head_info (f.head)->shapes + 1, "offset", V, 0);
  refuse (path, AM_ERROR_SHAPE, "shape");
  write_face (path, 2, "offset", V - 1, 0);
  refuse (path, AM_ERROR_SHAPE, "offset");
  write_face (path, 2, "offset", V, NAN);
  refuse (path, AM_ERROR_FORMAT, "offset");
  write_face (path, 2, "color", V + 1, 0.5f);
  refuse (path, AM_ERROR_SHAPE, "color");
  write_face (path, 2, "groom.vertex", 5, 1);
  refuse (path, AM_ERROR_MISSING, "groom.offset");
  face_close (&f);
  g_unlink (path);
  g_rmdir (folder);
}

/* A face's shape is what the same coefficients give with the head's own, its offset comes on top, and a stream's
 * coefficients after that. */
static void
test_file (void)
{
  static const float half[3] = { 0.5f, 0.5f, 0.5f }, whole[3] = { 1, 1, 1 };
  g_autofree char *folder = g_dir_make_tmp (NULL, NULL);
  g_autofree char *path = g_build_filename (folder, "face.safetensors", NULL);
  g_autoptr (GError) error = NULL;
  Face own, face;
  size_t V;

  face_open (&own, NULL);
  V = am_head_info (own.head)->vertices;
  write_face (path, 3, "offset", V, 0.01f);
  face_open (&face, path);
  for (int twice = 0; twice < 2; twice++) {
    g_clear_pointer (&own.poser, am_poser_free);
    own.poser = am_poser_new (own.head, "cpu", twice ? whole : half, 3, 1, &error);
    g_assert_no_error (error);
    g_clear_pointer (&face.poser, am_poser_free);
    face.poser = am_poser_new (face.head, "cpu", twice ? half : NULL, twice ? 3 : 0, 1, &error);
    g_assert_no_error (error);
    pose (&own);
    pose (&face);
    for (size_t i = 0; i < 3 * V; i++)
      g_assert_cmpfloat_with_epsilon (face.vertices[i], own.vertices[i] + 0.01f, 2e-6);
  }
  face_close (&own);
  face_close (&face);
  g_unlink (path);
  g_rmdir (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/faces/move", test_move);
  g_test_add_func ("/faces/draw", test_draw);
  g_test_add_func ("/faces/draw-motion", test_draw_motion);
  g_test_add_func ("/faces/mouth", test_mouth);
  g_test_add_func ("/faces/list", test_list);
  g_test_add_func ("/faces/bad", test_bad);
  g_test_add_func ("/faces/file", test_file);
  return g_test_run ();
}
