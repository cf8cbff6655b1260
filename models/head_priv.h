/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the poser sees of a head. For models/ only. */
#pragma once

#include "head.h"
#include "weights.h"

struct _AmHead
{
  int refs; /* under head.c's lock */
  char *key;
  AmWeights *weights;
  AmHeadInfo info;
  size_t joints;
  int32_t *parents;           /* [joints] */
  const AmTensor *v_template; /* [V,3] */
  const AmTensor *shapedirs;  /* [V,3,shapes + expressions] */
  const AmTensor *posedirs;   /* [V,3,9 (joints - 1)] */
  const AmTensor *regressor;  /* [joints,V] */
  const AmTensor *skinning;   /* [V,joints] */
  uint32_t *faces;            /* [F][3] */
  float *colors;              /* [V][3] or NULL */
  uint8_t *materials;         /* [V] or NULL */
  char **channels, **identity;
  const char **region_names; /* into the tensors' names */
  GPtrArray *regions;        /* uint32_t * each */
  GArray *region_sizes;      /* size_t each */
};
