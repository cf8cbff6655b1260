/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Streams that share weights, computed together.
 *
 * A network is a few programs (plans) over a few places (memory) that each stream has for itself: what it is given,
 * what it remembers, what it gives. An AmRunner runs the programs for one stream: alone, by plans that are recorded right
 * on its places; or through the model's batcher. There a stream hands in and waits. A batch is as many streams of the
 * model as have handed in: it starts when it is full, when all streams that there are have handed in, or when one has
 * waited as long as it wants to. Streams hand in again while it is computed, and are the next batch.
 *
 * The batcher's plans are made when first needed, for 1, 2, 4, … streams; they bring the members' places together, compute,
 * and take the results back, all on the device. Together they need at most twice the memory of the largest; where memory
 * is short, batches stay smaller. Streams come and go, and are cancelled, at any time; the others do not notice, and
 * what a stream gets does not depend on who is in its batches (docs/numerics.md). */
#pragma once

#include "model.h"
#include "kernels/plan.h"

G_BEGIN_DECLS

#define AM_MOST_PLACES 8
#define AM_MOST_PROGRAMS 32

typedef struct
{
  const char *name; /* for errors: "motion model" */
  enum { AM_NETWORK_ENCODER, AM_NETWORK_MOTION, AM_N_NETWORKS } which;
  unsigned n_places, n_programs;
  size_t numbers[AM_MOST_PLACES];                            /* floats in a place of one stream */
  guint32 reads[AM_MOST_PROGRAMS], writes[AM_MOST_PROGRAMS]; /* places, as bits */

  /* Records program `program` on `places`, each [batch][numbers]; `data` as it was given to am_runner_new(), of a stream
   * alone, else NULL. */
  void (*record) (AmModel *model, AkPlan *plan, unsigned program, float *const *places,
      size_t batch, gpointer data);
} AmNetwork;

typedef struct _AmRunner AmRunner;

/* A stream of `model` (not held) that runs `network`, which is the same for all streams of the model (it is
 * copied). `batching`->most 1 (or 0, where am_batch_most() says 1): alone; else with others.
 * `data`: for record(), during this call only. NULL with `error` set. */
AmRunner *am_runner_new (AmModel *model, const AmNetwork *network, const AmBatching *batching,
    gpointer data, GError **error);
void am_runner_free (AmRunner *runner);

/* The stream's queue and places. Uploads to places, plans on them and downloads are put into the queue, in order with what
 * am_runner_run() does; before the first after am_runner_run() was cancelled comes am_runner_settle(). */
AkQueue *am_runner_queue (AmRunner *runner);
float *am_runner_place (AmRunner *runner, unsigned place);

/* Waits until no batch uses the places any more. AK_CANCELLED once `cancel` (may be NULL) is not 0. */
AkStatus am_runner_settle (AmRunner *runner, const atomic_int *cancel);

/* Runs the programs whose bits are set in `programs`, the lowest first. `cancel` as for ak_plan_run(); errors that come
 * later are found by ak_queue_sync(). */
AkStatus am_runner_run (AmRunner *runner, guint32 programs, const atomic_int *cancel);

/* A network's batcher, made by its first stream that is not alone, and freed when there is no stream any more. NULL when out
 * of memory. For models/model.c. */
typedef struct _AmBatcher AmBatcher;
AmBatcher *am_batcher_new (AmModel *model, const AmNetwork *network);
void am_batcher_free (AmBatcher *batcher);
/* How many batches there were, and members of them all. */
void am_batcher_counts (AmBatcher *batcher, guint64 *batches, guint64 *members);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AmRunner, am_runner_free)

G_END_DECLS
