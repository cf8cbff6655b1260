/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files avatar*.c share. For models/ and its tests only. */
#pragma once

#include "avatar.h"
#include "gaussians.h"
#include "kernels/bind.h"
#include "load.h"
#include "styleunet.h"
#include "tap.h"

G_BEGIN_DECLS

/* The splats of a model that is one person itself, on the device; owned by the model's part. */
typedef struct
{
  AkBind bind; /* sizes, binding and light; the rest is the view's */
  const float *opacities;
  size_t
      mixed; /* what the network's first layer makes of channels; 0: has to be done for each pixel */
  const float *mix;             /* [6][mixed]: of colours 0 … 2 and the normal */
  const AkMatrix *mix_features; /* [mixed][features] */
  unsigned faces;               /* of the head */
  unsigned network_side;        /* what the network sees */
  float scale, distance;
} AmBound;

struct _AmAvatarModel
{
  int refs;  /* under avatar.c's lock */
  char *key; /* of the cache; NULL if it is not in it */
  AmWeights *weights;
  AkDevice *device;
  AkPrecision precision;
  const char *prefix; /* of the tensors' names: "model." or "" */
  unsigned heads;     /* of the ViT, 0 for width / 64 */
  char checkpoint[17];
  char *basis;
  AmAvatarModelInfo info;

  GMutex lock; /* of what is loaded at first use */
  AmPart *part;
  AmStyleunet *upsampler;
  AmBound bound;
  uint32_t *bound_faces; /* [splats], host memory: each splat's triangle */
};

struct _AmAvatar
{
  gatomicrefcount refs;
  AmAvatarModel *model;
  char *key;
  float transform[12];
  size_t n_shape;
  float *shape;
  /* on the device; all empty for a bound model */
  size_t n, followers;
  float *means, *scales, *rotations, *opacities, *colors;
};

/* As am_avatar_model_open(), not shared, for a ViT of `heads` heads. */
AmAvatarModel *am_avatar_model_open_heads (
    const char *path, const char *device, unsigned threads, unsigned heads, GError **error);

/* The network (and, of a bound model, the splats), loaded at the first call that `cancel` (may be NULL) does not
 * end. FALSE with `error` set. */
gboolean am_avatar_model_load (AmAvatarModel *model, const atomic_int *cancel, GError **error);

/* Reads the built-in avatar's format: sizes at opening, tensors in am_avatar_model_load(). */
gboolean am_avatar_bound_open (AmAvatarModel *model, GError **error);
void am_avatar_bound_load (AmAvatarModel *model, AmPart *part);

/* An avatar with these splats. Copies everything. */
AmAvatar *am_avatar_new (AmAvatarModel *model, const AmSplats *splats, const float transform[12],
    const float *shape, size_t n_shape, const char *key, GError **error);
/* The splats back in host memory. */
AmSplats *am_avatar_splats (AmAvatar *avatar, GError **error);

/* What a test looks at: device memory of the view, valid until its avatar is set anew. */
typedef struct
{
  const float *points;        /* [vertices][3], after the average */
  const float *means;         /* [splats][3] */
  const float *scales;        /* [splats][3] */
  const float *rotations;     /* [splats][4] */
  const float *colors;        /* [splats][channels] */
  const float *network;       /* [network side²][3], what the network gives */
  const float *average;       /* [n_average][3] */
  const float *image;         /* [side²][channels] */
  const float *transmittance; /* [side²] */
  const float *rgba;          /* [side²][4] */
  const int32_t *radius;      /* [splats] */
  size_t splats;
  AkQueue *queue;
} AmAvatarInside;
/* As am_avatar_view_new(), keeping each splat's radius too. */
AmAvatarView *am_avatar_view_new_inside (
    AmAvatar *avatar, AmHead *head, const AmAvatarOptions *options, GError **error);
void am_avatar_view_inside (AmAvatarView *view, AmAvatarInside *inside);

G_END_DECLS
