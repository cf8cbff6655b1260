/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the poser sees of a head. For models/ only. */
#pragma once

#include "head.h"
#include "kernels/flame.h"
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
  float *rest;                /* [V][3] in its place, or NULL */
  uint32_t *groomed;          /* [n_groomed]: vertices of hair, brows and lashes, or NULL */
  float *groom;               /* [n_groomed][3]: how far from rest a shaded mesh has them, metres */
  size_t n_groomed;
  const AmTensor *shapedirs; /* [V,3,shapes + expressions] */
  const AmTensor *posedirs;  /* [V,3,9 (joints - 1)] */
  const AmTensor *regressor; /* [joints,V] */
  const AmTensor *skinning;  /* [V,joints] */
  uint32_t *faces;           /* [F][3] */
  float *colors;             /* [V][3] or NULL */
  uint8_t *materials;        /* [V] or NULL */
  char **channels, **identity;
  const char **region_names; /* into the tensors' names */
  GPtrArray *regions;        /* uint32_t * each */
  GArray *region_sizes;      /* size_t each */
};

enum { AM_JOINT_ROOT, AM_JOINT_NECK, AM_JOINT_JAW }; /* motion turns the root and the jaw */

/* Is every element of `t`, a tensor of `w`, a finite number? FALSE with `error`. */
gboolean am_head_check_finite (const AmWeights *w, const AmTensor *t, GError **error);

/* Takes over the colours, materials and groomed vertices that `w` has. FALSE with `error`. */
gboolean am_head_read_looks (AmHead *head, AmWeights *w, GError **error);

/* FALSE with `error` for more identity coefficients than the head has, or numbers that are not finite. */
gboolean am_head_check_shape (
    const AmHead *head, const float *shape, size_t n_shape, GError **error);

/* The head of one identity on a device. `groomed`: with hair, brows and lashes as a mesh of it shows them; avatars are
 * bound to their plain form. */
AkFlame *am_head_pack (const AmHead *head, AkDevice *dev, const float *shape, size_t n_shape,
    float scale, gboolean groomed, AkStatus *status);

/* What ak_flame_pose() reads, from a motion frame: `in` [expressions + 3 joints], zeroed once by the caller.
 * Without `turn` the global rotation is left out. What is not finite counts as 0. */
void am_head_pose_input (const AmHead *head, const float *motion, gboolean turn, float *in);

/* Of a poser's own device. */
AkDevice *am_poser_device (const AmPoser *poser);

/* Records posing into the plan of another; the result is where [V][3] will be, in memory of the device that lives as long
 * as the poser. am_poser_upload() gives it, on that plan's queue, what it reads. */
const float *am_poser_record (AmPoser *poser, AkPlan *plan);
AkStatus am_poser_upload (AmPoser *poser, const float *motion, AkQueue *queue);

/* Unlike the address never that of another poser; not 0. */
guint am_poser_number (const AmPoser *poser);
