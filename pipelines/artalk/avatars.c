/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "avatars.h"

#include <gdk-pixbuf/gdk-pixbuf.h>
#include <stdio.h>

#include "models/tracked.h"
#include "options.h"

#define COLUMNS 6
#define THUMB 160 /* pixels */
#define GAP 8
#define PAPER 0xffffffff

/* The person's picture, as large as fits a thumbnail. NULL if memory is short. */
static GdkPixbuf *
thumbnail (const AmPerson *person)
{
  g_autoptr (GdkPixbuf) whole =
      gdk_pixbuf_new (GDK_COLORSPACE_RGB, FALSE, 8, (int) person->width, (int) person->height);
  size_t side = MAX (person->width, person->height);

  if (whole == NULL)
    return NULL;
  for (size_t y = 0; y < person->height; y++) {
    guchar *row = gdk_pixbuf_get_pixels (whole) + y * (size_t) gdk_pixbuf_get_rowstride (whole);

    for (size_t i = 0; i < 3 * person->width; i++)
      row[i] = (guchar) (person->image[3 * y * person->width + i] * 255 + 0.5f);
  }
  return gdk_pixbuf_scale_simple (whole, (int) MAX (person->width * THUMB / side, 1),
      (int) MAX (person->height * THUMB / side, 1), GDK_INTERP_BILINEAR);
}

/* Puts a thumbnail into the middle of place `i`. */
static void
place (GdkPixbuf *sheet, guint i, GdkPixbuf *thumb)
{
  int width = gdk_pixbuf_get_width (thumb), height = gdk_pixbuf_get_height (thumb);
  int x = GAP + (int) (i % COLUMNS) * (THUMB + GAP) + (THUMB - width) / 2;
  int y = GAP + (int) (i / COLUMNS) * (THUMB + GAP) + (THUMB - height) / 2;

  gdk_pixbuf_copy_area (thumb, 0, 0, width, height, sheet, x, y);
}

static GdkPixbuf *
sheet_new (guint people)
{
  guint columns = MIN (people, COLUMNS), rows = (people + COLUMNS - 1) / COLUMNS;
  GdkPixbuf *sheet = NULL;

  if (rows < 100000)
    sheet = gdk_pixbuf_new (GDK_COLORSPACE_RGB, FALSE, 8, GAP + (int) columns * (THUMB + GAP),
        GAP + (int) rows * (THUMB + GAP));
  if (sheet != NULL)
    gdk_pixbuf_fill (sheet, PAPER);
  return sheet;
}

int
avatars_list (const char *path, const char *sheet_path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (AmTracked) people = am_tracked_open (path, &error);
  g_autoptr (GdkPixbuf) sheet = NULL;
  const char *const *names;
  int status = STATUS_OK;

  if (people == NULL) {
    complain ("%s", error->message);
    return STATUS_FAILURE;
  }
  names = am_tracked_names (people);
  if (sheet_path != NULL) {
    sheet = sheet_new (g_strv_length ((char **) names));
    if (sheet == NULL) {
      complain ("%s: so many people do not fit on a sheet", path);
      return STATUS_FAILURE;
    }
  }
  for (guint i = 0; names[i] != NULL; i++) {
    g_autoptr (GError) bad = NULL;
    g_autoptr (AmPerson) person = am_tracked_person (people, names[i], &bad);
    g_autoptr (GdkPixbuf) thumb = person != NULL && sheet != NULL ? thumbnail (person) : NULL;
    g_autofree char *plain = g_strescape (names[i], NULL);

    printf ("%s\n", g_utf8_validate (names[i], -1, NULL) ? names[i] : plain);
    if (person == NULL) {
      complain ("%s", bad->message);
      status = STATUS_FAILURE;
    }
    if (thumb != NULL)
      place (sheet, i, thumb);
  }
  if (sheet != NULL && !gdk_pixbuf_save (sheet, sheet_path, "png", &error, NULL)) {
    complain ("%s: %s", sheet_path, error->message);
    status = STATUS_FAILURE;
  }
  return status;
}
