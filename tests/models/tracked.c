/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of tracked people, good and bad. */
#include "models/tracked.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "models/safetensors.h"

static char *folder;

static const float rigid[12] = { 1, 0, 0, 0.5f, 0, 0, -1, 0.25f, 0, 1, 0, 9 };

/* A person as three tensors, whose values a case may change. */
typedef struct
{
  AmTensor image, transform, shape;
  float pixels[24], matrix[16], code[4];
} Person;

static void
person_init (Person *p)
{
  *p = (Person){ 0 };
  p->image =
      (AmTensor){ .name = "a.jpg.image", .n_dims = 3, .shape = { 3, 2, 4 }, .data = p->pixels };
  p->transform = (AmTensor){
    .name = "a.jpg.transform_matrix", .n_dims = 2, .shape = { 3, 4 }, .data = p->matrix
  };
  p->shape = (AmTensor){ .name = "a.jpg.shapecode", .n_dims = 1, .shape = { 4 }, .data = p->code };
  for (int i = 0; i < 24; i++)
    p->pixels[i] = (float) i / 24;
  memcpy (p->matrix, rigid, sizeof rigid);
  p->code[1] = 0.5f;
}

/* Opens the person from a file, in which `leave` of the three are left out from the end. */
static AmPerson *
reopen (const Person *p, unsigned leave, GError **error)
{
  g_autofree char *path = g_build_filename (folder, "people.safetensors", NULL);
  const AmTensor all[] = { p->image, p->transform, p->shape };
  g_autoptr (AmTracked) t = NULL;

  if (!am_safetensors_write (path, all, 3 - leave, NULL, error))
    return NULL;
  t = am_tracked_open (path, error);
  return t ? am_tracked_person (t, "a.jpg", error) : NULL;
}

static void
test_safetensors (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (AmPerson) got = NULL;
  Person p;

  person_init (&p);
  got = reopen (&p, 0, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (got->name, ==, "a.jpg");
  g_assert_cmpuint (got->height, ==, 2);
  g_assert_cmpuint (got->width, ==, 4);
  for (int i = 0; i < 24; i++) /* colours last */
    g_assert_cmpfloat (got->image[i], ==, p.pixels[i % 3 * 8 + i / 3]);
  g_assert_cmpmem (got->transform, sizeof got->transform, rigid, sizeof rigid);
  g_assert_cmpuint (got->n_shape, ==, 4);
  g_assert_cmpfloat (got->shape[1], ==, 0.5);
}

static void
refuse (const Person *p, unsigned leave, const char *words)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (AmPerson) got = reopen (p, leave, &error);

  g_assert_null (got);
  g_assert_nonnull (error);
  g_assert_null (strchr (error->message, '\n'));
  if (!strstr (error->message, words) || !strstr (error->message, "people.safetensors"))
    g_error ("\"%s\" does not say \"%s\"", error->message, words);
}

static void
test_refused (void)
{
  static const uint8_t none[1] = { 0 };
  Person p;

  person_init (&p);
  refuse (&p, 1, "\"a.jpg\": shapecode is missing");
  refuse (&p, 2, "\"a.jpg\": transform_matrix is missing");
  p.image.shape[0] = 2;
  p.image.shape[2] = 6;
  refuse (&p, 0, "image is F32 [2,2,6], must be [3,height,width]");
  p.image.shape[0] = 4;
  p.image.shape[2] = 3;
  refuse (&p, 0, "three colours must come first");
  person_init (&p);
  p.image.shape[1] = 0;
  refuse (&p, 0, "must be [3,height,width]");
  person_init (&p);
  p.image.n_dims = 2;
  p.image.shape[1] = 8;
  refuse (&p, 0, "must be [3,height,width]");
  person_init (&p);
  p.image.dtype = AM_I32;
  refuse (&p, 0, "must be of bytes or floats");
  person_init (&p);
  p.pixels[3] = 200;
  refuse (&p, 0, "must be 0 to 1");
  p.pixels[3] = NAN;
  refuse (&p, 0, "image element 3 is not a finite number");
  person_init (&p);
  p.matrix[5] = 0.5f;
  refuse (&p, 0, "is not rigid");
  person_init (&p);
  p.matrix[0] = -1; /* a mirror */
  refuse (&p, 0, "is not rigid");
  person_init (&p);
  memset (p.matrix, 0, sizeof p.matrix);
  refuse (&p, 0, "is not rigid");
  person_init (&p);
  p.matrix[7] = INFINITY;
  refuse (&p, 0, "transform_matrix element 7 is not a finite number");
  person_init (&p);
  p.transform.shape[0] = 4;
  refuse (&p, 0, "has 16 numbers, must be [3,4]");
  person_init (&p);
  p.code[2] = -INFINITY;
  refuse (&p, 0, "shapecode element 2 is not a finite number");
  person_init (&p);
  p.shape.shape[0] = 0;
  p.shape.data = none;
  refuse (&p, 0, "shapecode is empty");
}

static void
test_pt (void)
{
  static const char *const names[] = { "lists", "numpy.jpg", "text", "image as a list", NULL };
  g_autoptr (GError) error = NULL;
  g_autoptr (AmTracked) t = am_tracked_open (DATA_DIR "/tracked.pt", &error);
  g_autoptr (AmPerson) lists = NULL, numpy = NULL;

  g_assert_no_error (error);
  g_assert_cmpstrv (am_tracked_names (t), names);
  lists = am_tracked_person (t, "lists", &error);
  g_assert_no_error (error);
  g_assert_cmpmem (lists->transform, sizeof lists->transform, rigid, sizeof rigid);
  g_assert_cmpuint (lists->n_shape, ==, 3);
  g_assert_cmpfloat (lists->shape[2], ==, -2);
  g_assert_cmpfloat (lists->image[4], ==, 90 / 255.0f); /* bytes; pixel 1, green */
  numpy = am_tracked_person (t, "numpy", &error);       /* without its extension */
  g_assert_no_error (error);
  g_assert_cmpstr (numpy->name, ==, "numpy.jpg");
  g_assert_cmpmem (numpy->transform, sizeof numpy->transform, rigid, sizeof rigid);
  g_assert_cmpuint (numpy->width, ==, 2);
  g_assert_cmpfloat (numpy->image[1], ==, 0.5);
  g_assert_cmpfloat (numpy->shape[1], ==, 4);

  g_assert_null (am_tracked_person (t, "text", &error));
  g_assert_nonnull (strstr (error->message, "neither a tensor nor a list"));
  g_clear_error (&error);
  g_assert_null (am_tracked_person (t, "image as a list", &error));
  g_assert_nonnull (strstr (error->message, "image is missing or not a tensor"));
  g_clear_error (&error);
  g_assert_null (am_tracked_person (t, "nobody", &error));
  g_assert_error (error, AM_ERROR, AM_ERROR_MISSING);
  g_assert_nonnull (
      strstr (error->message, "there is no \"nobody\"; there is \"lists\", \"numpy.jpg\""));
  g_clear_error (&error);
  g_assert_null (am_tracked_person (t, NULL, &error));
  g_assert_nonnull (strstr (error->message, "name one of \"lists\""));
}

static void
test_folder (void)
{
  g_autofree char *dir = g_build_filename (folder, "many", NULL);
  g_autofree char *one = g_build_filename (dir, "anna.safetensors", NULL);
  g_autofree char *two = g_build_filename (dir, "bert.safetensors", NULL);
  g_autofree char *other = g_build_filename (dir, "notes.txt", NULL);
  static const char *const names[] = { "anna", "a.jpg", NULL };
  g_autoptr (GError) error = NULL;
  g_autoptr (AmTracked) t = NULL;
  g_autoptr (AmPerson) anna = NULL;
  AmTensor all[3];
  Person p;

  g_assert_cmpint (g_mkdir (dir, 0700), ==, 0);
  g_assert_null (am_tracked_open (dir, &error));
  g_assert_nonnull (strstr (error->message, "holds no tracked person"));
  g_clear_error (&error);
  person_init (&p);
  all[0] = p.image;
  all[1] = p.transform;
  all[2] = p.shape;
  g_assert_true (am_safetensors_write (two, all, 3, NULL, &error));
  all[0].name = "image";
  all[1].name = "transform_matrix";
  all[2].name = "shapecode";
  g_assert_true (am_safetensors_write (one, all, 3, NULL, &error));
  g_assert_true (g_file_set_contents (other, "x", 1, NULL));
  t = am_tracked_open (dir, &error);
  g_assert_no_error (error);
  g_assert_cmpstrv (am_tracked_names (t), names);
  anna = am_tracked_person (t, "anna", &error);
  g_assert_no_error (error);
  g_assert_cmpuint (anna->n_shape, ==, 4);
  g_unlink (one);
  g_unlink (two);
  g_unlink (other);
  g_rmdir (dir);
  g_assert_null (am_tracked_open (dir, &error));
  g_assert_error (error, AM_ERROR, AM_ERROR_OPEN);
}

int
main (int argc, char **argv)
{
  g_autofree char *file = NULL;
  int result;

  g_test_init (&argc, &argv, NULL);
  folder = g_dir_make_tmp (NULL, NULL);
  g_assert_nonnull (folder);
  g_test_add_func ("/tracked/safetensors", test_safetensors);
  g_test_add_func ("/tracked/refused", test_refused);
  g_test_add_func ("/tracked/pt", test_pt);
  g_test_add_func ("/tracked/folder", test_folder);
  result = g_test_run ();
  file = g_build_filename (folder, "people.safetensors", NULL);
  g_unlink (file);
  g_rmdir (folder);
  g_free (folder);
  return result;
}
