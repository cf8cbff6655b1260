/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Vertex normals with AVX2: the cross products of faces, then sums of each vertex's faces. */
#include "mesh.h"

#include <immintrin.h>

static inline __m128
load_vertex (const float *vertices, uint32_t v, size_t n)
{
  const float *p = vertices + 3 * (size_t) v;

  /* the last vertex has no fourth float behind it */
  return v + 1 < n ? _mm_loadu_ps (p) : _mm_setr_ps (p[0], p[1], p[2], 0);
}

static inline __m128
cross (__m128 a, __m128 b)
{
  __m128 ay = _mm_shuffle_ps (a, a, 0xc9), by = _mm_shuffle_ps (b, b, 0xc9); /* y z x */
  __m128 c = _mm_fmsub_ps (a, by, _mm_mul_ps (ay, b));                       /* z x y */

  return _mm_shuffle_ps (c, c, 0xc9);
}

void
ak_normals_avx2 (const AkCpuMesh *m, float *normals, float *face_normals, const float *vertices)
{
  size_t V = m->base.vertices, F = m->base.faces;

  for (size_t f = 0; f < F; f++) {
    const uint32_t *i = m->indices + 3 * f;
    __m128 v0 = load_vertex (vertices, i[0], V), v1 = load_vertex (vertices, i[1], V),
           v2 = load_vertex (vertices, i[2], V);

    _mm_store_ps (face_normals + 4 * f, cross (_mm_sub_ps (v2, v1), _mm_sub_ps (v0, v1)));
  }
  for (size_t v = 0; v < V; v++) {
    __m128 n = _mm_setzero_ps (), length;
    float out[4];

    for (uint32_t k = m->first_face[v]; k < m->first_face[v + 1]; k++)
      n = _mm_add_ps (n, _mm_load_ps (face_normals + 4 * (size_t) m->vertex_faces[k]));
    length = _mm_max_ps (_mm_sqrt_ps (_mm_dp_ps (n, n, 0x77)), _mm_set1_ps (1e-6f));
    _mm_storeu_ps (out, _mm_div_ps (n, length));
    normals[3 * v] = out[0];
    normals[3 * v + 1] = out[1];
    normals[3 * v + 2] = out[2];
  }
}
