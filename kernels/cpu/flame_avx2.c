/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* FLAME's loops over the vertices with AVX2 and FMA, 8 vertices at a time. */
#include "flame.h"
#include "simd_avx2.h"

void
ak_flame_add_avx2 (const AkCpuFlame *f, float *planes, const float *by)
{
  const float *part = f->parts;

  for (size_t b = 0; b < 3 * f->padded / AK_FLAME_BLOCK; b++) {
    __m256 x = _mm256_load_ps (f->shaped + AK_FLAME_BLOCK * b);
    __m256 y = _mm256_load_ps (f->shaped + AK_FLAME_BLOCK * b + 8);

    for (uint32_t i = f->first[b]; i < f->first[b + 1]; i++, part += AK_FLAME_BLOCK) {
      __m256 k = _mm256_broadcast_ss (by + f->direction[i]);

      x = _mm256_fmadd_ps (k, _mm256_load_ps (part), x);
      y = _mm256_fmadd_ps (k, _mm256_load_ps (part + 8), y);
    }
    _mm256_store_ps (planes + AK_FLAME_BLOCK * b, x);
    _mm256_store_ps (planes + AK_FLAME_BLOCK * b + 8, y);
  }
}

void
ak_flame_skin_avx2 (const AkCpuFlame *f, const float *planes, const float *m, float *out)
{
  size_t P = f->padded, V = f->base.vertices;

  for (size_t v = 0; v < V; v += 8) {
    __m256 x = _mm256_load_ps (planes + v), y = _mm256_load_ps (planes + P + v),
           z = _mm256_load_ps (planes + 2 * P + v);
    __m256 s[3] = { _mm256_setzero_ps (), _mm256_setzero_ps (), _mm256_setzero_ps () };

    for (uint32_t used = f->used[v / 8]; used; used &= used - 1) {
      size_t j = (size_t) __builtin_ctz (used);
      __m256 w = _mm256_load_ps (f->weights + j * P + v);

      for (int i = 0; i < 3; i++) {
        const float *row = m + 12 * j + 4 * i;
        __m256 at = _mm256_fmadd_ps (_mm256_broadcast_ss (row), x, _mm256_broadcast_ss (row + 3));

        at = _mm256_fmadd_ps (_mm256_broadcast_ss (row + 1), y, at);
        at = _mm256_fmadd_ps (_mm256_broadcast_ss (row + 2), z, at);
        s[i] = _mm256_fmadd_ps (w, at, s[i]);
      }
    }
    if (v + 8 <= V) {
      simd_store_xyz (out + 3 * v, s[0], s[1], s[2]);
    } else {
      float tail[24];

      simd_store_xyz (tail, s[0], s[1], s[2]);
      for (size_t i = 0; i < 3 * (V - v); i++)
        out[3 * v + i] = tail[i];
    }
  }
}
