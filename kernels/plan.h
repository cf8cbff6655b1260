/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Plans: a fixed list of operations, recorded once, run for every window or frame.
 *
 * A model calls operations (linear.h, norm.h, …) with a plan; each call checks its arguments, prepares
 * what it needs (library primitives, scratch) and appends itself. Nothing is computed before
 * ak_plan_run(), and running allocates nothing. Sizes, strides and pointers are fixed at recording;
 * whatever changes from run to run lies in device memory. An error while recording is kept in the
 * plan, makes later calls no-ops and is returned by ak_plan_finish(), so models check once. */
#pragma once

#include "device.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct AkPlan AkPlan;

/* A new plan on `dev` (a reference is taken), or NULL when out of memory. */
AkPlan *ak_plan_new (AkDevice *dev);
void ak_plan_free (AkPlan *plan);

/* Zeroed device memory of `bytes` that lives as long as the plan. NULL after an error. */
void *ak_plan_memory (AkPlan *plan, size_t bytes);

/* Ends the recording. Returns the first error of all calls since ak_plan_new(). */
AkStatus ak_plan_finish (AkPlan *plan);

/* Runs all operations in order on `queue`. `cancel` (may be NULL) is looked at after every 20 ms of
 * work or less; once it is not 0 the run ends early and ak_queue_sync() returns AK_CANCELLED.
 * A plan runs on one queue at a time. */
AkStatus ak_plan_run (AkPlan *plan, AkQueue *queue, const atomic_int *cancel);

#ifdef __cplusplus
}
#endif
