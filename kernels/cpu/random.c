/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cpu.h"

#include <math.h>

static uint64_t
split_mix (uint64_t number)
{
  uint64_t z = number * 0x9E3779B97F4A7C15u;

  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

/* Pairs `from` … */
static void
normal (const void *args, size_t from, size_t to)
{
  const AkRandom *a = args;

  for (size_t j = from; j < to; j++) {
    uint64_t z = split_mix (*a->state + j);
    float u = (float) ((z >> 40) + 1) / 16777216.0f, v = (float) (z >> 16 & 0xffffff) / 16777216.0f;
    float r = a->scale * sqrtf (-2 * logf (u)), angle = 6.28318530717958648f * v;

    a->y[2 * j] = r * cosf (angle);
    if (2 * j + 1 < a->n)
      a->y[2 * j + 1] = r * sinf (angle);
  }
}

static void
advance (AkCpu *cpu, const void *args)
{
  const AkRandom *a = args;

  (void) cpu;
  *a->state += (a->n + 1) / 2;
}

static void
normal_record (AkPlan *plan, const AkRandom *args)
{
  ak_cpu_append_rows (plan, normal, args, sizeof *args, (args->n + 1) / 2, 16);
  ak_cpu_append (plan, AK_NODE_INLINE, advance, NULL, args, sizeof *args);
}

void
ak_cpu_random_init (AkOps *ops)
{
  ops->random_normal = normal_record;
}
