/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads that share out the parts of a job among themselves. For kernels/cpu only. */
#pragma once

#include "cpu.h"

typedef struct AkTeam AkTeam;

/* A team of `threads` (at least 1), the caller of ak_team_run() being one of them. NULL if the threads cannot be
 * made. */
AkTeam *ak_team_new (unsigned threads);
void ak_team_free (AkTeam *team);

/* Calls fn (arg, i, n) for i = 0 … n-1, each once, in any thread and order, and waits. n <= 65535. From one
 * thread at a time.
 *
 * Whoever is free takes the next part, the caller too, so that a thread that the system has put aside (for
 * instance for one that draws) is not waited for unless it has begun a part. Idle threads look for work for some
 * microseconds, then sleep. */
void ak_team_run (AkTeam *team, AkParallel *fn, void *arg, unsigned n);
