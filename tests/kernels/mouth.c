/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Light inside the mouth: a plate of teeth behind lips that are more or less far apart. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/raster.h"

#define SIDE 96
#define CELLS 10
#define PLATE ((CELLS + 1) * (CELLS + 1))
#define VERTICES (PLATE + 4)
#define FACES (2 * CELLS * CELLS)

/* Millimetres: what is drawn, 50 high and wide in the middle of the picture. */
typedef struct
{
  float edge, gap; /* of the lips: the upper one's height, and what is between them */
  float before;    /* how far the plate is before the lips */
  float scale;
  unsigned n_upper, n_lower; /* vertices of the lips that are told, 2 at most */
  AkMaterial material;
  float color; /* sRGB 0..1 */
} Mouth;

static const uint32_t lips[2][2] = { { PLATE, PLATE + 1 }, { PLATE + 2, PLATE + 3 } };

static const float lip_color[3] = { 0.7f, 0.4f, 0.35f };

static void
place (float *vertices, const Mouth *m)
{
  float mm = 0.001f * m->scale;

  for (int i = 0; i < PLATE; i++) {
    vertices[3 * i] = mm * (float) (5 * (i % (CELLS + 1)) - 25);
    vertices[3 * i + 1] = mm * (float) (5 * (i / (CELLS + 1)) - 25);
    vertices[3 * i + 2] = mm * m->before;
  }
  for (int i = 0; i < 4; i++) {
    vertices[3 * (PLATE + i)] = mm * (i % 2 ? 6 : -6);
    vertices[3 * (PLATE + i) + 1] = mm * (i < 2 ? m->edge : m->edge - m->gap);
    vertices[3 * (PLATE + i) + 2] = 0;
  }
}

static AkMesh *
make (AkDevice *dev, const Mouth *m)
{
  static uint32_t indices[3 * FACES];
  static float colors[3 * VERTICES];
  static uint8_t materials[VERTICES];
  const AkMeshDesc desc = { VERTICES, FACES, indices, colors, materials, lips[0], lips[1],
    m->n_upper, m->n_lower };
  uint32_t *at = indices;

  for (uint32_t y = 0; y < CELLS; y++)
    for (uint32_t x = 0; x < CELLS; x++) {
      const uint32_t v = y * (CELLS + 1) + x, up = v + CELLS + 1;
      const uint32_t six[] = { v, v + 1, up, v + 1, up + 1, up };

      memcpy (at, six, sizeof six);
      at += 6;
    }
  for (int i = 0; i < 3 * VERTICES; i++)
    colors[i] = i < 3 * PLATE ? m->color : lip_color[i % 3];
  memset (materials, m->material, sizeof materials);
  return ak_mesh_new (dev, &desc, NULL);
}

/* The picture, RGBA (free); NULL on error. */
static uint8_t *
draw (AkDevice *dev, const Mouth *m)
{
  uint8_t *pixels = calloc (4 * SIDE * SIDE, 1);
  float vertices[3 * VERTICES];
  AkPicture picture = { .pixels = AK_PIXELS_RGBA,
    .width = SIDE,
    .height = SIDE,
    .plane = { pixels },
    .stride = { 4 * SIDE } };
  AkDrawStyle style = { 0xff000000, 1 };
  AkMesh *mesh = make (dev, m);
  AkPlan *plan = ak_plan_new (dev);
  AkQueue *queue = ak_queue_new (dev);
  float *there = ak_plan_memory (plan, sizeof vertices);
  AkStatus status;

  place (vertices, m);
  ak_mesh_draw (plan, mesh, there, m->scale, &picture, &style);
  status = ak_plan_finish (plan);
  if (status == AK_OK) {
    ak_upload (queue, there, vertices, sizeof vertices);
    ak_plan_run (plan, queue, NULL);
    status = ak_queue_sync (queue);
  }
  ak_plan_free (plan);
  ak_queue_free (queue);
  ak_mesh_free (mesh);
  if (status == AK_OK)
    return pixels;
  free (pixels);
  return NULL;
}

/* How many bytes are further apart than `far`; all if a picture is missing. */
static size_t
unlike (const uint8_t *a, const uint8_t *b, int far)
{
  size_t n = 0;

  for (size_t i = 0; a && b && i < 4 * SIDE * SIDE; i++)
    n += abs (a[i] - b[i]) > far;
  return a && b ? n : 4 * SIDE * SIDE;
}

static void
expect (Check *t, int good, const char *what)
{
  t->checks++;
  if (!good) {
    t->failures++;
    printf ("mouth: FAILED: %s\n", what);
  }
}

/* The red (0) or green (1) of the plate at a height in millimetres, of 255; -1 without a picture. */
static int
shown (const uint8_t *pixels, int height, int channel)
{
  size_t row = (size_t) (SIDE / 2 - height * 6 * SIDE / 2000);

  return pixels ? pixels[4 * (row * SIDE + SIDE / 2) + (size_t) channel] : -1;
}

static int
green (const uint8_t *pixels, int height)
{
  return shown (pixels, height, 1);
}

void
check_mouth (Check *t)
{
  enum { N_DRAWN = 8 };
  const Mouth wide = { 0, 14, -8, 1, 2, 2, AK_MATERIAL_TEETH, 0.8f };
  Mouth half = wide, slit = wide, none = wide, one = wide, tongue = wide, skin = wide, large = wide,
        dark = wide;
  Mouth *all[] = { &half, &slit, &none, &one, &tongue, &skin, &large, &dark };
  uint8_t *open = draw (t->dev, &wide), *drawn[N_DRAWN];
  int lit;

  half.gap = 4;
  slit.gap = 1;
  none.n_upper = none.n_lower = 0;
  one.n_lower = 0;
  one.gap = 1;
  tongue.before = 8;
  tongue.gap = 1;
  tongue.material = AK_MATERIAL_MOUTH;
  skin.gap = 1;
  skin.material = AK_MATERIAL_SKIN;
  large.scale = 5;
  dark.material = AK_MATERIAL_LIPS;
  dark.color = 0.02f;
  for (int i = 0; i < N_DRAWN; i++) {
    uint8_t *plain = draw (t->plain, all[i]);

    drawn[i] = draw (t->dev, all[i]);
    expect (t, unlike (drawn[i], plain, 2) == 0, "not as in plain C");
    free (plain);
  }
  lit = green (drawn[2], -12);
  expect (t, lit > 150 && green (open, -12) >= lit - 2, "an open mouth is not light");
  expect (t, green (open, 12) < lit * 3 / 4, "the upper lip throws no shadow");
  expect (t, green (drawn[1], -12) < lit / 4, "what is behind a slit is not dark");
  expect (t, shown (drawn[1], -12, 0) > 3 * green (drawn[1], -12) / 2,
      "what is behind a slit is black rather than red");
  expect (t, shown (drawn[7], -12, 0) == shown (drawn[1], -12, 0), "lips are darker than a slit");
  expect (t, green (drawn[0], -12) < lit * 3 / 4 && green (drawn[0], -12) > lit / 4,
      "half open is not between");
  expect (t, unlike (drawn[2], drawn[3], 0) == 0, "one lip alone changes the light");
  expect (t, unlike (open, drawn[6], 1) == 0, "the light depends on the scale");
  for (int i = 4; i < 6; i++) { /* before the lips, and of another material */
    Mouth unknown = *all[i];
    uint8_t *pixels;

    unknown.n_upper = unknown.n_lower = 0;
    pixels = draw (t->dev, &unknown);
    expect (t, unlike (drawn[i], pixels, 0) == 0, "the light outside changes with the lips");
    free (pixels);
  }
  for (int i = 0; i < N_DRAWN; i++)
    free (drawn[i]);
  free (open);
  {
    static const uint32_t beyond = VERTICES, face[3] = { 0, 1, 2 };
    const AkMeshDesc desc = {
      .vertices = VERTICES, .faces = 1, .indices = face, .upper_lip = &beyond, .n_upper_lip = 1
    };
    AkStatus status;

    expect (t, !ak_mesh_new (t->dev, &desc, &status) && status == AK_ERR_ARG,
        "a lip beyond the vertices is not refused");
  }
}
