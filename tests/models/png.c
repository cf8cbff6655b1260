/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "png.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static guint32
be32 (const uint8_t *p)
{
  return (guint32) p[0] << 24 | (guint32) p[1] << 16 | (guint32) p[2] << 8 | p[3];
}

/* The filter of PNG's fourth kind. */
static uint8_t
paeth (int a, int b, int c)
{
  int pa = abs (b - c), pb = abs (a - c), pc = abs (a + b - 2 * c);

  return (uint8_t) (pa <= pb && pa <= pc ? a : pb <= pc ? b : c);
}

static gboolean
unfilter (uint8_t *out, const uint8_t *rows, size_t height, size_t stride, size_t bpp)
{
  for (size_t y = 0; y < height; y++) {
    const uint8_t *in = rows + y * (stride + 1);
    uint8_t *row = out + y * stride;
    const uint8_t *above = y ? row - stride : NULL;

    for (size_t i = 0; i < stride; i++) {
      int a = i >= bpp ? row[i - bpp] : 0, b = above ? above[i] : 0;
      int c = above && i >= bpp ? above[i - bpp] : 0;

      switch (in[0]) {
        case 0:
          row[i] = in[1 + i];
          break;
        case 1:
          row[i] = (uint8_t) (in[1 + i] + a);
          break;
        case 2:
          row[i] = (uint8_t) (in[1 + i] + b);
          break;
        case 3:
          row[i] = (uint8_t) (in[1 + i] + (a + b) / 2);
          break;
        case 4:
          row[i] = (uint8_t) (in[1 + i] + paeth (a, b, c));
          break;
        default:
          return FALSE;
      }
    }
  }
  return TRUE;
}

uint8_t *
png_read (const char *path, unsigned *width, unsigned *height, unsigned *channels)
{
  g_autofree char *file = NULL;
  g_autofree uint8_t *rows = NULL, *out = NULL;
  g_autoptr (GByteArray) packed = g_byte_array_new ();
  const uint8_t *p;
  gsize n, at = 8;
  uLongf n_rows;
  size_t stride;

  if (!g_file_get_contents (path, &file, &n, NULL) || n < 33 || memcmp (file + 1, "PNG", 3) != 0)
    return NULL;
  p = (const uint8_t *) file;
  *width = be32 (p + 16);
  *height = be32 (p + 20);
  *channels = p[25] == 6 ? 4 : 3;
  if (p[24] != 8 || (p[25] != 2 && p[25] != 6) || p[28] != 0 || *width > 4096 || *height > 4096)
    return NULL;
  while (at + 12 <= n && be32 (p + at) <= n - at - 12) {
    if (memcmp (p + at + 4, "IDAT", 4) == 0)
      g_byte_array_append (packed, p + at + 8, be32 (p + at));
    at += 12 + be32 (p + at);
  }
  stride = (size_t) *width * *channels;
  n_rows = (stride + 1) * *height;
  rows = g_malloc (n_rows + 1);
  out = g_malloc (stride * *height + 1);
  if (uncompress (rows, &n_rows, packed->data, packed->len) != Z_OK ||
      n_rows != (stride + 1) * *height || !unfilter (out, rows, *height, stride, *channels))
    return NULL;
  return g_steal_pointer (&out);
}
