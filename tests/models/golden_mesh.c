/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pictures in the published look: what each pixel shows, its colour, and the bytes. */
#include "golden.h"

#include "kernels/raster.h"

#include <math.h>
#include <string.h>

typedef struct
{
  unsigned width, height;
  float scale;
  size_t V, F, N; /* N: covered pixels */
  float *vertices, *rgb, *z, *bary, *normals;
  int64_t *pixel, *face;
  uint32_t *indices;
  double half; /* largest rounding of stored colours */
} Case;

static void
case_clear (Case *m)
{
  g_free (m->vertices);
  g_free (m->rgb);
  g_free (m->z);
  g_free (m->bary);
  g_free (m->normals);
  g_free (m->pixel);
  g_free (m->face);
  g_free (m->indices);
}

static float *
read_floats (const AmWeights *io, const char *name, size_t n)
{
  const AmTensor *t = am_weights_find (io, name);

  return t && t->n == n ? am_tensor_to_f32 (t) : NULL;
}

static gboolean
case_read (Case *m, const AmWeights *io)
{
  const AmTensor *vertices = am_weights_find (io, "vertices"),
                 *faces = am_weights_find (io, "faces");
  const AmTensor *pixel = am_weights_find (io, "pixel"), *face = am_weights_find (io, "face");
  const AmTensor *rgb = am_weights_find (io, "rgb");
  g_autofree int64_t *wide = NULL;

  if (!vertices || !faces || !pixel || !face || !rgb || face->n != pixel->n ||
      rgb->n != 3 * pixel->n)
    return FALSE;
  m->V = vertices->n / 3;
  m->F = faces->n / 3;
  m->N = pixel->n;
  m->vertices = am_tensor_to_f32 (vertices);
  m->rgb = am_tensor_to_f32 (rgb);
  m->half = rgb->dtype == AM_F16 ? 2.5e-4 : 0;
  m->z = read_floats (io, "z", m->N);
  m->bary = read_floats (io, "bary", 2 * m->N);
  m->normals = read_floats (io, "vertex_normals", 3 * m->V);
  m->pixel = am_tensor_to_i64 (pixel);
  m->face = am_tensor_to_i64 (face);
  m->indices = g_new (uint32_t, 3 * m->F);
  wide = am_tensor_to_i64 (faces);
  for (size_t i = 0; i < 3 * m->F; i++)
    m->indices[i] = (uint32_t) wide[i];
  for (size_t i = 0; i < m->N; i++)
    if (m->pixel[i] < 0 || m->pixel[i] >= (int64_t) m->width * m->height)
      return FALSE;
  return TRUE;
}

/* Are the faces a and b the same three points, so that either may be named? */
static gboolean
same_face (const Case *m, int64_t a, int64_t b)
{
  for (int k = 0; k < 3; k++)
    if (memcmp (m->vertices + 3 * m->indices[3 * a + k], m->vertices + 3 * m->indices[3 * b + k],
            3 * sizeof (float)))
      return FALSE;
  return TRUE;
}

typedef struct
{
  int32_t *face;
  float *z, *bary, *rgb, *normals;
  uint8_t *bytes; /* RGBA */
} Drawn;

static AkStatus
draw (Golden *g, const Case *m, Drawn *d)
{
  size_t pixels = (size_t) m->width * m->height;
  AkMeshDesc desc = { .vertices = m->V, .faces = m->F, .indices = m->indices };
  AkPicture picture = { .pixels = AK_PIXELS_RGBA,
    .alpha = 1,
    .width = m->width,
    .height = m->height,
    .plane = { d->bytes },
    .stride = { 4 * (ptrdiff_t) m->width } };
  AkStatus status;
  AkDevice *dev = ak_device_open (g->device, g->threads, &status);
  AkMesh *mesh = dev ? ak_mesh_new (dev, &desc, &status) : NULL;
  AkQueue *queue = dev ? ak_queue_new (dev) : NULL;
  AkPlan *plan = dev ? ak_plan_new (dev) : NULL;

  if (mesh && queue && plan) {
    AkFragments out = { ak_plan_memory (plan, pixels * sizeof *d->face),
      ak_plan_memory (plan, pixels * sizeof *d->z),
      ak_plan_memory (plan, 2 * pixels * sizeof *d->bary),
      ak_plan_memory (plan, 3 * pixels * sizeof *d->rgb) };
    float *vertices = ak_plan_memory (plan, 3 * m->V * sizeof *vertices);
    float *normals = ak_plan_memory (plan, 3 * m->V * sizeof *normals);

    ak_mesh_normals (plan, mesh, normals, vertices);
    ak_mesh_fragments (plan, mesh, vertices, m->scale, m->width, m->height, &out);
    ak_mesh_draw_published (plan, mesh, vertices, m->scale, &picture);
    status = ak_plan_finish (plan);
    if (status == AK_OK) {
      ak_upload (queue, vertices, m->vertices, 3 * m->V * sizeof *vertices);
      ak_plan_run (plan, queue, NULL);
      ak_download (queue, d->face, out.face, pixels * sizeof *d->face);
      ak_download (queue, d->z, out.z, pixels * sizeof *d->z);
      ak_download (queue, d->bary, out.bary, 2 * pixels * sizeof *d->bary);
      ak_download (queue, d->rgb, out.rgb, 3 * pixels * sizeof *d->rgb);
      ak_download (queue, d->normals, normals, 3 * m->V * sizeof *d->normals);
      status = ak_queue_sync (queue);
    }
  }
  ak_plan_free (plan);
  ak_queue_free (queue);
  ak_mesh_free (mesh);
  ak_device_unref (dev);
  return status;
}

static void
compare (GoldenCase *c, const Case *m, const Drawn *d)
{
  size_t pixels = (size_t) m->width * m->height, other = 0, off = 0, covered = 0, wrong_bytes = 0;
  double rgb = 0, z = 0, bary = 0, normal = 0, background = 0;

  for (size_t i = 0; i < m->N; i++) {
    size_t p = (size_t) m->pixel[i];

    if (d->face[p] < 0 || (d->face[p] != m->face[i] && !same_face (m, d->face[p], m->face[i]))) {
      other++;
      continue;
    }
    for (size_t k = 0; k < 3; k++) {
      /* 71.0 is on the step where no light falls: 70 is as good */
      double want = 255 * (double) m->rgb[3 * i + k];

      rgb = fmax (rgb, fabs ((double) d->rgb[3 * p + k] - m->rgb[3 * i + k]));
      if (fabs (d->bytes[4 * p + k] - floor (want)) > 1)
        wrong_bytes++;
      else if (m->half == 0 && d->bytes[4 * p + k] != (uint8_t) want && fabs (want - 71) > 1e-3)
        off++;
    }
    if (m->z)
      z = fmax (z, fabs ((double) d->z[p] - m->z[i]));
    for (size_t k = 0; k < 2 && m->bary; k++)
      bary = fmax (bary, fabs ((double) d->bary[2 * p + k] - m->bary[2 * i + k]));
  }
  for (size_t p = 0; p < pixels; p++) {
    covered += d->face[p] >= 0;
    if (d->face[p] < 0)
      background = fmax (background, fmax (1 - d->rgb[3 * p], 255 - d->bytes[4 * p]));
    if (d->bytes[4 * p + 3] != (d->face[p] >= 0 ? 255 : 0))
      wrong_bytes++;
  }
  if (covered > m->N)
    other += covered - m->N;
  for (size_t i = 0; i < 3 * m->V && m->normals; i++)
    normal = fmax (normal, fabs ((double) d->normals[i] - m->normals[i]));
  golden_compare_error (c, "coverage and faces", (double) other / (double) m->N, 1e-3);
  golden_compare_error (c, "rgb", rgb, 3e-5 + m->half);
  golden_compare_error (c, "bytes off by more than 1", (double) wrong_bytes, 0.5);
  golden_compare_error (c, "bytes off by 1", (double) off / (double) (3 * m->N), 5e-3);
  golden_compare_error (c, "background", background, 1e-9);
  golden_compare_error (c, "vertex normals", normal, 1e-4);
  if (m->z)
    golden_compare_error (c, "z", z, 3e-6 * m->scale);
  if (m->bary)
    golden_compare_error (c, "bary", bary, 3e-3);
}

static void
run_case (GoldenCase *c, const AmWeights *io, JsonObject *sizes)
{
  Case m = { 0 };

  m.width = (unsigned) json_object_get_int_member_with_default (sizes, "width", 0);
  m.height = (unsigned) json_object_get_int_member_with_default (sizes, "height", 0);
  m.scale = (float) json_object_get_double_member_with_default (sizes, "scale", 1);
  if (!case_read (&m, io)) {
    golden_fail (c, "lacks tensors, or they do not fit one another");
  } else {
    size_t pixels = (size_t) m.width * m.height;
    Drawn d = { g_new (int32_t, pixels), g_new (float, pixels), g_new (float, 2 * pixels),
      g_new (float, 3 * pixels), g_new (float, 3 * m.V), g_new (uint8_t, 4 * pixels) };
    AkStatus status = draw (c->golden, &m, &d);

    if (status != AK_OK) {
      golden_fail (c, "%s", ak_status_text (status));
    } else {
      compare (c, &m, &d);
      golden_end (c);
    }
    g_free (d.face);
    g_free (d.z);
    g_free (d.bary);
    g_free (d.rgb);
    g_free (d.normals);
    g_free (d.bytes);
  }
  case_clear (&m);
}

void
golden_mesh (Golden *g, const char *dir)
{
  golden_cases (g, dir, "mesh", run_case);
}
