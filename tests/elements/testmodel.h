/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Speech models of any size with pseudo-random weights, made when a test needs one. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* All sizes that a test may want to vary; see test_model_small and test_model_heavy. */
typedef struct
{
  const char *name;  /* of the file */
  gint64 salt;       /* another one: other weights, so another checkpoint */
  const char *basis; /* of the motion */
  unsigned before, ahead;
  unsigned patches[6];                /* 0-terminated; the last is the frames of a window */
  unsigned conv, hidden, layers, ffn; /* of the audio encoder, wav2vec 2.0 or */
  gboolean mimi;                      /* mimi, which takes no context */
  unsigned width, depth;              /* transformer */
  const char *audio_norm;             /* NULL: "none" */
} TestModel;

/* A window of 1 s in about a millisecond; with context, so that the order of things shows. */
extern const TestModel test_model_small;

/* The small one with a mimi encoder: 25 frames, so an odd number of them for each of its 13 steps. */
extern const TestModel test_model_mimi;

/* A window that takes long enough in every part that a test can interrupt it. */
extern const TestModel test_model_heavy;

/* Path of the model's file in a folder that is removed when the program ends; made at the first call. */
const char *test_model_path (const TestModel *model);

/* Path in the same folder for a file called `name`. (transfer full) */
char *test_path (const char *name);

G_END_DECLS
