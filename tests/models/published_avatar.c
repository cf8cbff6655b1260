/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "published_avatar.h"

#include <math.h>
#include <string.h>

#include "models/camera.h"
#include "models/safetensors.h"
#include "styleunet_synth.h"
#include "synth.h"

#define JOINTS 5
#define DIRECTIONS 400
#define DISTANCE 10 /* of the camera */

typedef struct
{
  const StyleunetSizes *network;
  size_t vertices, ring; /* of the head; vertices in a ring */
  size_t plane;          /* side of the two planes of splats */
} Sizes;

static const StyleunetSizes small_network = {
  .levels = 3, .width = { 16, 16, 16, 8 }, .features = 32, .style = 32
};
static const Sizes little = { &small_network, 70, 10, 8 };

static AmTensor
tensor (const char *name, AmDType dtype, const void *data, size_t a, size_t b, size_t c)
{
  AmTensor t = { .name = name,
    .dtype = dtype,
    .n_dims = c ? 3 : 2,
    .shape = { a, b, c },
    .n = a * b * MAX (c, 1),
    .data = data };

  t.bytes = t.n * am_dtype_size (dtype);
  return t;
}

static float *
numbers (const char *name, size_t n, float base, float scale)
{
  float *to = g_new (float, n);

  synth_uniform (to, 0, n, 0, name, base, scale);
  return to;
}

/* An egg of rings of vertices. */
static void
make_egg (const Sizes *s, float *vertices, GArray *faces)
{
  const size_t ring = s->ring, rings = s->vertices / ring;

  for (size_t v = 0; v < s->vertices; v++) {
    double up = (double) (MIN (v / ring, rings - 1) + 1) / (double) (rings + 1) * G_PI;
    double round = (double) (v % ring) / (double) ring * 2 * G_PI;

    vertices[3 * v] = (float) (0.08 * sin (up) * sin (round));
    vertices[3 * v + 1] = (float) (0.11 * cos (up));
    vertices[3 * v + 2] = (float) (0.09 * sin (up) * cos (round));
  }
  for (size_t r = 0; r + 1 < rings; r++)
    for (size_t q = 0; q < ring; q++) {
      const int64_t a = (int64_t) (r * ring + q), b = (int64_t) (r * ring + (q + 1) % ring);
      const int64_t below = (int64_t) ring,
                    corners[] = { a, a + below, b, b, a + below, b + below };

      g_array_append_vals (faces, corners, 6);
    }
}

static gboolean
write_head (const char *path, const Sizes *s, GError **error)
{
  static const int64_t parents[2 * JOINTS] = { -1, 0, 1, 1, 1, 0, 1, 2, 3, 4 };
  const size_t V = s->vertices;
  g_autoptr (GArray) faces = g_array_new (FALSE, FALSE, sizeof (int64_t));
  g_autofree float *vertices = g_new (float, 3 * V);
  g_autofree float *shapes = numbers ("head.shapes", 3 * V * DIRECTIONS, 0, 3e-4f);
  g_autofree float *poses = numbers ("head.poses", 27 * V * (JOINTS - 1), 0, 1e-4f);
  g_autofree float *regressor = g_new (float, JOINTS *V);
  g_autofree float *skinning = g_new0 (float, JOINTS *V);

  make_egg (s, vertices, faces);
  for (size_t i = 0; i < JOINTS * V; i++)
    regressor[i] = 1 / (float) V;
  for (size_t v = 0; v < V; v++) {
    skinning[JOINTS * v + 1] = 0.75f;
    skinning[JOINTS * v + 2] = 0.25f;
  }
  {
    const AmTensor tensors[] = { tensor ("flame_model.v_template", AM_F32, vertices, V, 3, 0),
      tensor ("flame_model.shapedirs", AM_F32, shapes, V, 3, DIRECTIONS),
      tensor ("flame_model.posedirs", AM_F32, poses, V, 3, 9 * (JOINTS - 1)),
      tensor ("flame_model.J_regressor", AM_F32, regressor, JOINTS, V, 0),
      tensor ("flame_model.weights", AM_F32, skinning, V, JOINTS, 0),
      tensor ("flame_model.kintree_table", AM_I64, parents, 2, JOINTS, 0),
      tensor ("flame_model.f", AM_I64, faces->data, faces->len / 3, 3, 0) };

    return am_safetensors_write (path, tensors, G_N_ELEMENTS (tensors), NULL, error);
  }
}

/* What opening a model looks at, and the network. */
static gboolean
write_model (const char *path, const Sizes *s, GError **error)
{
  g_autoptr (AmWeights) network = styleunet_synth (s->network, error);
  g_autoptr (GArray) tensors = g_array_new (FALSE, FALSE, sizeof (AmTensor));
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autofree float *base = g_new0 (float, s->vertices);
  g_autofree float *colors = g_new0 (float, s->network->features);
  const AmTensor first[] = { tensor ("head_base", AM_F32, base, s->vertices, 1, 0),
    tensor ("gs_generator_g.color_layers.2.weight", AM_F32, colors, s->network->features, 1, 0) };

  if (!network)
    return FALSE;
  g_array_append_vals (tensors, first, G_N_ELEMENTS (first));
  for (size_t i = 0; i < am_weights_count (network); i++) {
    AmTensor t = *am_weights_nth (network, i);

    t.name = g_strconcat ("upsampler.", t.name, NULL);
    g_ptr_array_add (names, (char *) t.name);
    g_array_append_val (tensors, t);
  }
  return am_safetensors_write (path, (const AmTensor *) tensors->data, tensors->len, NULL, error);
}

/* Two planes of splats before and behind the head's, as thick and as dense as published ones. */
static AmSplats *
make_splats (const Sizes *s, const float transform[12])
{
  const size_t V = s->vertices, pixels = s->plane * s->plane, n = V + 2 * pixels;
  AmSplats *splats = am_splats_new (n, s->network->features, V);
  g_autofree float *depth = numbers ("splats.depth", 2 * pixels, 0, 0.2f);
  float normal[3];

  synth_uniform (splats->scales, 0, 3 * n, 0, "splats.scales", 0.025f, 0.02f);
  synth_uniform (splats->rotations, 0, 4 * n, 0, "splats.rotations", 0, 1);
  synth_uniform (splats->opacities, 0, n, 0, "splats.opacities", 0.5f, 0.45f);
  synth_uniform (splats->colors, 0, n * splats->channels, 0, "splats.colors", 0, 1);
  for (size_t i = 0; i < n; i++) {
    float *q = splats->rotations + 4 * i;
    const float size = sqrtf (q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]) + 1e-6f;

    for (int k = 0; k < 4; k++)
      q[k] /= size;
  }
  for (size_t p = 0; p < 2; p++) {
    float *means = splats->means + 3 * (V + p * pixels);

    am_plane_points (transform, s->plane, means, normal);
    for (size_t i = 0; i < 3 * pixels; i++)
      means[i] += normal[i % 3] * depth[p * pixels + i / 3];
  }
  return splats;
}

AmAvatar *
published_avatar_new (const char *folder, unsigned side, const char *device, AkPrecision precision,
    AmHead **head, GError **error)
{
  StyleunetSizes network = styleunet_published;
  const Sizes published = { &network, 5023, 71, 296 * (size_t) side / 512 };
  const Sizes *s = side ? &published : &little;
  g_autofree char *model_path = g_build_filename (folder, "GAGAvatar.safetensors", NULL);
  g_autofree char *head_path = g_build_filename (folder, "head.safetensors", NULL);
  g_autoptr (AmAvatarModel) model = NULL;
  g_autoptr (AmSplats) splats = NULL;
  const float tracked[12] = { 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, DISTANCE }, still[3] = { 0 };
  AmAvatar *avatar;
  AmCamera camera;

  for (network.levels = 1; (size_t) 4 << network.levels < side;)
    network.levels++;
  if ((!g_file_test (head_path, G_FILE_TEST_EXISTS) && !write_head (head_path, s, error)) ||
      (!g_file_test (model_path, G_FILE_TEST_EXISTS) && !write_model (model_path, s, error)))
    return NULL;
  model = am_avatar_model_open (model_path, device, precision, 0, error);
  *head = model ? am_head_open (head_path, error) : NULL;
  if (!*head)
    return NULL;
  am_camera_frame (&camera, tracked, still);
  splats = make_splats (s, camera.transform);
  avatar = am_avatar_new (model, splats, tracked, NULL, 0, NULL, error);
  if (!avatar)
    g_clear_pointer (head, am_head_unref);
  return avatar;
}
