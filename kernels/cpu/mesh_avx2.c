/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Vertex normals with AVX2: the cross products of faces, then sums of each vertex's faces. */
#include "mesh.h"

#include <immintrin.h>

static inline __m128
cross (__m128 a, __m128 b)
{
  __m128 ay = _mm_shuffle_ps (a, a, 0xc9), by = _mm_shuffle_ps (b, b, 0xc9); /* y z x */
  __m128 c = _mm_fmsub_ps (a, by, _mm_mul_ps (ay, b));                       /* z x y */

  return _mm_shuffle_ps (c, c, 0xc9);
}

static inline __m128
normal_of (const AkCpuMesh *m, const float *face_normals, size_t v, int unit)
{
  const uint32_t *f = m->eight_faces + 8 * v;
  __m128 n;

#define FACE(k) _mm_load_ps (face_normals + 4 * (size_t) f[k])
  n = _mm_add_ps (_mm_add_ps (_mm_add_ps (FACE (0), FACE (1)), _mm_add_ps (FACE (2), FACE (3))),
      _mm_add_ps (_mm_add_ps (FACE (4), FACE (5)), _mm_add_ps (FACE (6), FACE (7))));
#undef FACE
  for (uint32_t k = m->first_face[v] + 8; k < m->first_face[v + 1]; k++)
    n = _mm_add_ps (n, _mm_load_ps (face_normals + 4 * (size_t) m->vertex_faces[k]));
  if (unit)
    n = _mm_div_ps (n, _mm_max_ps (_mm_sqrt_ps (_mm_dp_ps (n, n, 0x77)), _mm_set1_ps (1e-6f)));
  return n;
}

void
ak_normals_avx2 (
    const AkCpuMesh *m, float *normals, float *scratch, const float *vertices, int unit)
{
  size_t V = m->base.vertices, F = m->base.faces;
  float *face_normals = scratch, *at = scratch + 4 * (F + 1), last[4];

  for (size_t v = 0; v + 1 < V; v++)
    _mm_store_ps (at + 4 * v, _mm_loadu_ps (vertices + 3 * v));
  for (size_t k = 0; k < 3; k++) /* the last one has no fourth float behind it */
    at[4 * (V - 1) + k] = vertices[3 * (V - 1) + k];
  for (size_t f = 0; f < F; f++) {
    const uint32_t *i = m->indices + 3 * f;
    __m128 v0 = _mm_load_ps (at + 4 * (size_t) i[0]), v1 = _mm_load_ps (at + 4 * (size_t) i[1]),
           v2 = _mm_load_ps (at + 4 * (size_t) i[2]);

    _mm_store_ps (face_normals + 4 * f, cross (_mm_sub_ps (v2, v1), _mm_sub_ps (v0, v1)));
  }
  _mm_store_ps (face_normals + 4 * F, _mm_setzero_ps ());
  /* the fourth float is overwritten by the next one */
  for (size_t v = 0; v + 1 < V; v++)
    _mm_storeu_ps (normals + 3 * v, normal_of (m, face_normals, v, unit));
  _mm_storeu_ps (last, normal_of (m, face_normals, V - 1, unit));
  for (size_t k = 0; k < 3; k++)
    normals[3 * (V - 1) + k] = last[k];
}
