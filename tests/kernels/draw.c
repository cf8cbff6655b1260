/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The coloured look: smooth edges against a picture of 64 times the pixels, the fast loops against plain C, and planes of
 * video against the same picture in RGB. */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/raster.h"

#define SIDE 160
#define FINE 8
#define RINGS 24
#define VERTICES (2 * (RINGS + 1) * (RINGS + 1) + 4)
#define FACES (4 * RINGS * RINGS + 2)

typedef struct
{
  float vertices[3 * VERTICES], colors[3 * VERTICES];
  uint32_t indices[3 * FACES];
  size_t n_vertices, n_faces;
} Scene;

static void
vertex (Scene *s, float x, float y, float z, const float color[3])
{
  const float at[3] = { x, y, z };

  memcpy (s->vertices + 3 * s->n_vertices, at, sizeof at);
  memcpy (s->colors + 3 * s->n_vertices, color, sizeof at);
  s->n_vertices++;
}

static void
face (Scene *s, size_t a, size_t b, size_t c)
{
  uint32_t *i = s->indices + 3 * s->n_faces++;

  i[0] = (uint32_t) a, i[1] = (uint32_t) b, i[2] = (uint32_t) c;
}

static void
ball (Scene *s, float x, float y, float z, float radius, const float color[3])
{
  size_t first = s->n_vertices, row = RINGS + 1;

  for (size_t i = 0; i <= RINGS; i++)
    for (size_t j = 0; j <= RINGS; j++) {
      float a = (float) (3.14159265 * (double) i / RINGS),
            b = (float) (6.28318531 * (double) j / RINGS);

      vertex (s, x + radius * sinf (a) * cosf (b), y + radius * cosf (a),
          z + radius * sinf (a) * sinf (b), color);
    }
  for (size_t i = 0; i < RINGS; i++)
    for (size_t j = 0; j < RINGS; j++) {
      size_t v = first + i * row + j;

      face (s, v, v + 1, v + row);
      face (s, v + 1, v + row + 1, v + row);
    }
}

/* Two balls that sink into one another, and a strip in front of them, two pixels wide and slanting. */
static void
make (Scene *s)
{
  static const float skin[3] = { 0.9f, 0.7f, 0.6f }, hair[3] = { 0.2f, 0.1f, 0.05f },
                     white[3] = { 1, 1, 1 };

  ball (s, 0, -0.02f, 0, 0.085f, skin);
  ball (s, 0.03f, 0.05f, 0.01f, 0.07f, hair);
  for (int i = 0; i < 4; i++)
    vertex (s, i % 2 ? 0.07f : -0.08f, -0.03f + (float) (i % 2) * 0.02f + (float) (i / 2) * 0.002f,
        0.1f, white);
  face (s, s->n_vertices - 4, s->n_vertices - 3, s->n_vertices - 2);
  face (s, s->n_vertices - 3, s->n_vertices - 1, s->n_vertices - 2);
}

/* Draws the scene into `picture`; `style` NULL: the published look. */
static AkStatus
draw_into (AkDevice *dev, const Scene *s, const AkPicture *picture, const AkDrawStyle *style)
{
  AkMesh *mesh = ak_mesh_new (dev,
      &(AkMeshDesc){ .vertices = s->n_vertices,
          .faces = s->n_faces,
          .indices = s->indices,
          .colors = s->colors },
      NULL);
  AkPlan *plan = ak_plan_new (dev);
  AkQueue *queue = ak_queue_new (dev);
  float *vertices = ak_plan_memory (plan, 3 * s->n_vertices * sizeof *vertices);
  AkStatus status;

  if (style)
    ak_mesh_draw (plan, mesh, vertices, 1, picture, style);
  else
    ak_mesh_draw_published (plan, mesh, vertices, 1, picture);
  status = ak_plan_finish (plan);
  if (status == AK_OK) {
    ak_upload (queue, vertices, s->vertices, 3 * s->n_vertices * sizeof *vertices);
    /* twice, as nothing may be left over from the first time */
    ak_plan_run (plan, queue, NULL);
    ak_plan_run (plan, queue, NULL);
    status = ak_queue_sync (queue);
  }
  ak_plan_free (plan);
  ak_queue_free (queue);
  ak_mesh_free (mesh);
  return status;
}

/* The scene as RGBA [side][side][4], transparent where nothing is; NULL on error. */
static uint8_t *
draw (AkDevice *dev, const Scene *s, unsigned side, int antialias)
{
  uint8_t *pixels = calloc (4 * (size_t) side * side, 1);
  AkPicture picture = { .pixels = AK_PIXELS_RGBA,
    .alpha = 1,
    .width = side,
    .height = side,
    .plane = { pixels },
    .stride = { 4 * (ptrdiff_t) side } };

  if (draw_into (dev, s, &picture, &(AkDrawStyle){ 0, antialias }) == AK_OK)
    return pixels;
  free (pixels);
  return NULL;
}

/* Draws the scene as planes, and as RGBA that is then converted: the bytes must be the same, and none beyond. */
static void
check_planes (Check *t, const Scene *s, AkPixels pixels, unsigned width, unsigned height)
{
  enum { STRIDE = SIDE + 32, SIZE = 2 * STRIDE * SIDE };
  AkDrawStyle style = { 0xff204060, 1 };
  uint8_t *rgba = calloc (4 * SIDE * SIDE, 1), *planes[2] = { calloc (SIZE, 1), calloc (SIZE, 1) };
  AkPicture through = { .pixels = AK_PIXELS_RGBA,
    .width = width,
    .height = height,
    .plane = { rgba },
    .stride = { 4 * (ptrdiff_t) width } };
  AkPicture picture = {
    .pixels = pixels, .width = width, .height = height, .stride = { STRIDE, STRIDE, STRIDE }
  };
  AkPlan *plan = ak_plan_new (t->dev);
  AkQueue *queue = ak_queue_new (t->dev);
  uint8_t *on_device = ak_plan_memory (plan, 4 * (size_t) width * height);
  AkPicture converted = picture;
  AkStatus status;

  for (size_t k = 0; k < 3; k++) {
    size_t at = (k ? SIDE + (k - 1) * SIDE / 2 : 0) * STRIDE;

    picture.plane[k] = planes[0] + at;
    converted.plane[k] = planes[1] + at;
  }
  t->checks++;
  status = draw_into (t->dev, s, &picture, &style);
  if (status == AK_OK)
    status = draw_into (t->dev, s, &through, &style);
  ak_picture_write (plan, &converted, on_device);
  if (status == AK_OK)
    status = ak_plan_finish (plan);
  if (status == AK_OK) {
    ak_upload (queue, on_device, rgba, 4 * (size_t) width * height);
    ak_plan_run (plan, queue, NULL);
    status = ak_queue_sync (queue);
  }
  if (status != AK_OK || memcmp (planes[0], planes[1], SIZE) != 0) {
    printf ("draw: planes %d of %ux%u are not those of the same picture in RGB\n", (int) pixels,
        width, height);
    t->failures++;
  }
  ak_plan_free (plan);
  ak_queue_free (queue);
  free (rgba);
  free (planes[0]);
  free (planes[1]);
}

/* Planes one after the other; with gaps behind the rows if there is alpha. */
#define GAP 5

static size_t
lay_out (AkPicture *p, uint8_t *bytes)
{
  size_t at = 0;

  for (unsigned k = 0; k < ak_picture_planes (p->pixels); k++) {
    size_t rows = k ? (p->height + 1) / 2 : p->height;

    if (p->alpha)
      p->stride[k] = 4 * (ptrdiff_t) p->width + GAP;
    else if (ak_picture_planes (p->pixels) == 1)
      p->stride[k] =
          (p->pixels == AK_PIXELS_RGB || p->pixels == AK_PIXELS_BGR ? 3 : 4) * (ptrdiff_t) p->width;
    else
      p->stride[k] = k ? (p->width + 1) / 2 * (p->pixels == AK_PIXELS_NV12 ? 2 : 1) : p->width;
    p->plane[k] = bytes ? bytes + at : NULL;
    at += rows * (size_t) p->stride[k];
  }
  return at;
}

/* The scene drawn into `picture`, whose planes are laid out in the result (free), or copied from the device into it: NULL
 * on error. */
static uint8_t *
draw_picture (AkDevice *dev, const Scene *s, AkPicture *picture, const AkDrawStyle *style)
{
  size_t bytes = lay_out (picture, NULL);
  uint8_t *pixels = malloc (bytes);
  uint8_t *there = picture->on_device ? ak_alloc (dev, bytes)
                   : picture->pinned  ? ak_pin (dev, bytes)
                                      : NULL;
  AkQueue *queue = ak_queue_new (dev);
  AkStatus status = AK_OK;

  memset (pixels, 77, bytes);
  if (there && picture->pinned)
    memcpy (there, pixels, bytes);
  else if (there)
    status = ak_upload (queue, there, pixels, bytes);
  if (status == AK_OK)
    status = ak_queue_sync (queue);
  lay_out (picture, there ? there : pixels);
  if (status == AK_OK)
    status = draw_into (dev, s, picture, style);
  if (status == AK_OK && there && picture->pinned)
    memcpy (pixels, there, bytes);
  else if (status == AK_OK && there)
    status = ak_download (queue, pixels, there, bytes);
  if (status == AK_OK)
    status = ak_queue_sync (queue);
  ak_queue_free (queue);
  if (picture->pinned)
    ak_unpin (dev, there);
  else
    ak_free (dev, there);
  if (status == AK_OK)
    return pixels;
  free (pixels);
  return NULL;
}

/* A picture in the memory of the device, or page-locked, is the same bytes as any other, gaps included. */
static void
check_places (
    Check *t, const Scene *s, AkPicture picture, const AkDrawStyle *style, const uint8_t *host)
{
  for (int pinned = 0; pinned < 2; pinned++) {
    uint8_t *there;

    picture.on_device = !pinned;
    picture.pinned = pinned;
    there = draw_picture (t->dev, s, &picture, style);
    t->checks++;
    if (!host || !there || memcmp (host, there, lay_out (&picture, NULL)) != 0) {
      t->failures++;
      printf ("draw: FAILED: format %d, %s look: another picture in %s memory\n",
          (int) picture.pixels, style ? "coloured" : "published",
          pinned ? "page-locked" : "the device's");
    }
    free (there);
  }
}

/* Every format, with what may change from run to run, in odd sizes: as in plain C, and nothing else is written. */
static void
check_formats (Check *t, const Scene *s)
{
  for (int i = 0; i < 2 * AK_N_PIXELS; i++) {
    AkPicture picture = { .pixels = (AkPixels) (i / 2),
      .alpha = i % 2,
      .bt709 = i % 2,
      .width = i % 2 ? 97 : 130,
      .height = i % 2 ? 131 : 66 };
    AkDrawStyle style = { 0x80336699, 1 };

    for (int published = 0; published < 2; published++) {
      uint8_t *plain = draw_picture (t->plain, s, &picture, published ? NULL : &style);
      uint8_t *dev = draw_picture (t->dev, s, &picture, published ? NULL : &style);
      size_t n = lay_out (&picture, NULL), unlike = 0;

      for (size_t k = 0; k < n && plain && dev; k++)
        unlike += abs (plain[k] - dev[k]) > (published ? 1 : 2);
      t->checks++;
      if (!plain || !dev || unlike > n / 500) {
        t->failures++;
        printf ("draw: FAILED: format %d, %s look: %zu bytes of %zu are not as in plain C\n", i / 2,
            published ? "published" : "coloured", unlike, n);
      } else if (getenv ("CHECK_VERBOSE")) {
        printf ("draw: format %d, %s look: %zu bytes of %zu are not as in plain C\n", i / 2,
            published ? "published" : "coloured", unlike, n);
      }
      check_places (t, s, picture, published ? NULL : &style, dev);
      free (plain);
      free (dev);
    }
  }
}

/* Four faces one behind the other, nearer together than half of a depth's bits tell: the nearest is seen, the lowest of
 * the two that are. */
static void
check_near (Check *t)
{
  static const float depth[] = { 0.1f, 0.1f + 2e-7f, 0.1f + 2e-7f, 0.1f + 1e-7f };
  static const float white[3] = { 1, 1, 1 };
  Scene s = { 0 };
  int32_t *seen = malloc (SIDE * SIDE * sizeof *seen);
  AkMesh *mesh;
  AkPlan *plan = ak_plan_new (t->dev);
  AkQueue *queue = ak_queue_new (t->dev);
  float *vertices;
  AkFragments out = { ak_plan_memory (plan, SIDE * SIDE * sizeof *seen), NULL, NULL, NULL };
  size_t n = 0, wrong = 0;
  AkStatus status;

  for (size_t i = 0; i < 4; i++) {
    vertex (&s, -0.1f, -0.1f, depth[i], white);
    vertex (&s, 0.1f, -0.1f, depth[i], white);
    vertex (&s, 0, 0.1f, depth[i], white);
    face (&s, 3 * i, 3 * i + 1, 3 * i + 2);
  }
  mesh = ak_mesh_new (t->dev,
      &(AkMeshDesc){ .vertices = s.n_vertices, .faces = s.n_faces, .indices = s.indices }, NULL);
  vertices = ak_plan_memory (plan, 3 * s.n_vertices * sizeof *vertices);
  ak_mesh_fragments (plan, mesh, vertices, 1, SIDE, SIDE, &out);
  status = ak_plan_finish (plan);
  for (int i = 0; i < 2 && status == AK_OK; i++) {
    ak_upload (queue, vertices, s.vertices, 3 * s.n_vertices * sizeof *vertices);
    ak_plan_run (plan, queue, NULL);
    ak_download (queue, seen, out.face, SIDE * SIDE * sizeof *seen);
    status = ak_queue_sync (queue);
  }
  for (size_t i = 0; i < SIDE * SIDE && status == AK_OK; i++) {
    n += seen[i] >= 0;
    wrong += seen[i] >= 0 && seen[i] != 1;
  }
  t->checks++;
  if (status != AK_OK || n < SIDE * SIDE / 8 || wrong) {
    t->failures++;
    printf ("draw: FAILED: of %zu pixels %zu show another face than the nearest\n", n, wrong);
  }
  ak_plan_free (plan);
  ak_queue_free (queue);
  ak_mesh_free (mesh);
  free (seen);
}

/* Means of FINE x FINE pixels, premultiplied: [SIDE][SIDE][4], 0 … 255. */
static float *
shrink (const uint8_t *fine)
{
  float *mean = calloc (4 * SIDE * SIDE, sizeof *mean);

  for (size_t y = 0; y < SIDE * FINE; y++)
    for (size_t x = 0; x < SIDE * FINE; x++) {
      const uint8_t *p = fine + 4 * (y * SIDE * FINE + x);
      float *m = mean + 4 * (y / FINE * SIDE + x / FINE);

      for (int k = 0; k < 4; k++)
        m[k] += (float) p[k] * (k < 3 ? (float) p[3] / 255 : 1) / (FINE * FINE);
    }
  return mean;
}

/* Root mean square distance of premultiplied values. */
static double
distance (const uint8_t *pixels, const float *mean)
{
  double sum = 0;

  for (size_t i = 0; i < SIDE * SIDE; i++)
    for (size_t k = 0; k < 4; k++) {
      double v = pixels[4 * i + k] * (k < 3 ? pixels[4 * i + 3] / 255.0 : 1) - mean[4 * i + k];

      sum += v * v;
    }
  return sqrt (sum / (4 * SIDE * SIDE));
}

/* A plan that runs again before anybody waited: each run reads the picture as it is then. */
static void
check_again (Check *t, const Scene *s)
{
  AkPicture picture = { .pixels = AK_PIXELS_RGBA, .width = 40, .height = 30 };
  static uint8_t pixels[2][(4 * 40 + GAP) * 30];
  AkMesh *mesh = ak_mesh_new (t->dev,
      &(AkMeshDesc){ .vertices = s->n_vertices,
          .faces = s->n_faces,
          .indices = s->indices,
          .colors = s->colors },
      NULL);
  AkPlan *plan = ak_plan_new (t->dev);
  AkQueue *queue = ak_queue_new (t->dev);
  float *vertices = ak_plan_memory (plan, 3 * s->n_vertices * sizeof *vertices);
  AkDrawStyle style = { 0, 1 };

  ak_mesh_draw (plan, mesh, vertices, 1, &picture, &style);
  ak_upload (queue, vertices, s->vertices, 3 * s->n_vertices * sizeof *vertices);
  for (int i = 0; i < 2; i++) {
    lay_out (&picture, pixels[i]);
    style.background = i ? 0xff00ff00 : 0xffff0000;
    if (ak_plan_finish (plan) != AK_OK || ak_plan_run (plan, queue, NULL) != AK_OK)
      t->failures++;
  }
  t->checks++;
  if (ak_queue_sync (queue) != AK_OK || pixels[0][0] != 255 || pixels[0][1] != 0 ||
      pixels[1][0] != 0 || pixels[1][1] != 255) {
    printf ("draw: FAILED: two runs, one picture\n");
    t->failures++;
  }
  ak_plan_free (plan);
  ak_queue_free (queue);
  ak_mesh_free (mesh);
}

/* The scene pushed out of a small picture to the right, a quarter of a pixel at a time: where it ends in the last pixels
 * its blocks must not go beyond the picture's (a sanitizer sees that). */
static void
check_border (Check *t, const Scene *s)
{
  static Scene pushed;
  AkDrawStyle style = { 0xff336699, 1 };
  size_t unlike = 0, failed = 0;

  pushed = *s;
  for (int i = 0; i < 200; i++) {
    AkPicture picture = {
      .pixels = i % 2 ? AK_PIXELS_I420 : AK_PIXELS_RGBA, .width = 16, .height = 16
    };
    size_t n = lay_out (&picture, NULL);
    uint8_t *plain, *dev;

    for (size_t v = 0; v < s->n_vertices; v++)
      pushed.vertices[3 * v] = s->vertices[3 * v] + 0.005f * (float) i;
    plain = draw_picture (t->plain, &pushed, &picture, &style);
    dev = draw_picture (t->dev, &pushed, &picture, &style);
    failed += !plain || !dev;
    for (size_t k = 0; k < n && plain && dev; k++)
      unlike += abs (plain[k] - dev[k]) > 2;
    free (plain);
    free (dev);
  }
  t->checks++;
  if (failed || unlike > 200 * 16 * 16 / 500) {
    t->failures++;
    printf ("draw: FAILED: at the right border %zu bytes are not as in plain C\n", unlike);
  }
}

/* However many threads share the bands, the picture is the same bytes. */
static void
check_threads (Check *t, const Scene *s)
{
  enum { SIDE_OF_BANDS = 400 };
  AkDevice *one = ak_device_open (t->device, 1, NULL), *many = ak_device_open (t->device, 4, NULL);
  uint8_t *alone = one ? draw (one, s, SIDE_OF_BANDS, 1) : NULL;

  for (int i = 0; i < 8; i++) {
    uint8_t *together = many ? draw (many, s, SIDE_OF_BANDS, 1) : NULL;

    t->checks++;
    if (!alone || !together || memcmp (alone, together, 4 * SIDE_OF_BANDS * SIDE_OF_BANDS) != 0) {
      t->failures++;
      printf ("draw: FAILED: four threads draw another picture than one\n");
    }
    free (together);
  }
  free (alone);
  ak_device_unref (one);
  ak_device_unref (many);
}

/* A plate's lower edge, dark, before another plate of the same part, `behind` metres behind: of the columns' bytes
 * from there up by two pixels the mean. Both slant, so that the edge is at all heights in a pixel. */
static double
crease_at (AkDevice *dev, float behind)
{
  static const float white[3] = { 1, 1, 1 }, dark[3] = { 0.1f, 0.1f, 0.1f };
  const float far = 0.05f - behind;
  Scene s = { 0 };
  uint8_t *pixels;
  double sum = 0;

  vertex (&s, -0.08f, 0, 0.05f, dark);
  vertex (&s, 0.08f, 0.01f, 0.05f, dark);
  vertex (&s, 0.08f, 0.03f, 0.05f, white);
  vertex (&s, -0.08f, 0.02f, 0.05f, white);
  vertex (&s, -0.08f, -0.05f, far, white);
  vertex (&s, 0.08f, -0.05f, far, white);
  vertex (&s, 0.08f, 0.03f, far, white);
  vertex (&s, -0.08f, 0.02f, far, white);
  face (&s, 0, 1, 2);
  face (&s, 0, 2, 3);
  face (&s, 4, 5, 6);
  face (&s, 4, 6, 7);
  face (&s, 3, 2, 6); /* what makes them one part */
  pixels = draw (dev, &s, SIDE, 1);
  if (!pixels)
    return -1;
  for (size_t x = SIDE / 2 - 30; x < SIDE / 2 + 30; x++) {
    double height = 0.005 + 0.01 * ((double) x - SIDE / 2) * 0.00205 / 0.16;
    size_t row = (size_t) (SIDE / 2 - height / 0.00203);

    for (size_t y = row - 2; y < row + 2; y++)
      sum += pixels[4 * (y * SIDE + x)];
  }
  free (pixels);
  return sum / (4 * 60);
}

/* Where a part touches itself the outline's dark is not blended with the light beyond. */
static void
check_crease (Check *t)
{
  double touching = crease_at (t->dev, 0.001f), apart = crease_at (t->dev, 0.02f);

  t->checks++;
  if (!(touching > 0 && touching < apart - 5) ||
      fabs (touching - crease_at (t->plain, 0.001f)) > 0.5) {
    t->failures++;
    printf ("draw: FAILED: a crease of %.1f, %.1f where nothing touches\n", touching, apart);
  }
}

void
check_draw (Check *t)
{
  static Scene s;
  uint8_t *fine, *jagged, *smooth, *plain;
  float *mean = NULL;
  size_t unlike = 0;

  s.n_vertices = s.n_faces = 0;
  make (&s);
  for (AkPixels p = AK_PIXELS_I420; p <= AK_PIXELS_NV12; p++) {
    check_planes (t, &s, p, SIDE, SIDE);
    check_planes (t, &s, p, SIDE - 8, SIDE - 30); /* a band that is not full */
    check_planes (t, &s, p, SIDE - 3, SIDE - 1);
  }
  fine = draw (t->dev, &s, SIDE * FINE, 0);
  jagged = draw (t->dev, &s, SIDE, 0);
  smooth = draw (t->dev, &s, SIDE, 1);
  plain = draw (t->plain, &s, SIDE, 1);
  t->checks++;
  if (fine && jagged && smooth && plain) {
    double before, after;

    mean = shrink (fine);
    before = distance (jagged, mean);
    after = distance (smooth, mean);
    for (size_t i = 0; i < 4 * SIDE * SIDE; i++)
      unlike += abs (smooth[i] - plain[i]) > 2;
    if (!(after < 0.35 * before) || unlike > SIDE * SIDE / 500) {
      printf ("draw: edges are %.2f from the fine picture, %.2f without smoothing; %zu bytes are "
              "not as in "
              "plain C\n",
          after, before, unlike);
      t->failures++;
    }
  } else {
    printf ("draw: cannot be drawn\n");
    t->failures++;
  }
  check_near (t);
  check_crease (t);
  check_formats (t, &s);
  check_border (t, &s);
  check_again (t, &s);
  check_threads (t, &s);
  free (mean);
  free (fine);
  free (jagged);
  free (smooth);
  free (plain);
}
