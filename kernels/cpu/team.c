/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "team.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define PAUSE() _mm_pause ()
#else
#define PAUSE() ((void) 0)
#endif

#define SPINS                                                                                      \
  400 /* 10 to 20 µs: longer than from one operation to the next, shorter than falling asleep */

struct AkTeam
{
  /* The job's number << 32 | its parts << 16 | the next part: who raises the last field has that part. */
  _Atomic uint64_t ticket;
  AkParallel *fn; /* of the job; does not change before all parts that were taken are done */
  void *arg;
  atomic_uint done;
  atomic_uint sleepers;
  atomic_int quit;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  unsigned n_threads;
  pthread_t threads[];
};

/* Does the parts of the job that `ticket` belongs to, as long as there are some. */
static void
work (AkTeam *team, uint64_t ticket)
{
  const uint32_t job = (uint32_t) (ticket >> 32);

  while ((uint32_t) (ticket >> 32) == job && (ticket & 0xffff) < (ticket >> 16 & 0xffff))
    if (atomic_compare_exchange_weak (&team->ticket, &ticket, ticket + 1)) {
      team->fn (team->arg, (unsigned) (ticket & 0xffff), (unsigned) (ticket >> 16 & 0xffff));
      atomic_fetch_add (&team->done, 1);
      ticket = atomic_load (&team->ticket);
    }
}

/* Waits until the ticket is another than `seen`, and returns it. */
static uint64_t
await (AkTeam *team, uint64_t seen)
{
  uint64_t ticket = seen;

  for (int i = 0; i < SPINS; i++) {
    ticket = atomic_load (&team->ticket);
    if (ticket >> 32 != seen >> 32 || atomic_load (&team->quit))
      return ticket;
    PAUSE ();
  }
  pthread_mutex_lock (&team->lock);
  atomic_fetch_add (&team->sleepers, 1);
  for (;;) {
    ticket = atomic_load (&team->ticket);
    if (ticket >> 32 != seen >> 32 || atomic_load (&team->quit))
      break;
    pthread_cond_wait (&team->wake, &team->lock);
  }
  atomic_fetch_sub (&team->sleepers, 1);
  pthread_mutex_unlock (&team->lock);
  return ticket;
}

static void
wake (AkTeam *team)
{
  pthread_mutex_lock (&team->lock);
  pthread_cond_broadcast (&team->wake);
  pthread_mutex_unlock (&team->lock);
}

static void *
member (void *data)
{
  AkTeam *team = data;
  uint64_t ticket = 0;

  for (;;) {
    ticket = await (team, ticket);
    if (atomic_load (&team->quit))
      return NULL;
    work (team, ticket);
  }
}

AkTeam *
ak_team_new (unsigned threads)
{
  AkTeam *team = calloc (1, sizeof *team + (threads - 1) * sizeof *team->threads);

  if (!team)
    return NULL;
  pthread_mutex_init (&team->lock, NULL);
  pthread_cond_init (&team->wake, NULL);
  while (team->n_threads < threads - 1) {
    if (pthread_create (&team->threads[team->n_threads], NULL, member, team) != 0) {
      ak_team_free (team);
      return NULL;
    }
    team->n_threads++;
  }
  return team;
}

void
ak_team_free (AkTeam *team)
{
  if (!team)
    return;
  atomic_store (&team->quit, 1);
  wake (team);
  for (unsigned i = 0; i < team->n_threads; i++)
    pthread_join (team->threads[i], NULL);
  pthread_cond_destroy (&team->wake);
  pthread_mutex_destroy (&team->lock);
  free (team);
}

void
ak_team_run (AkTeam *team, AkParallel *fn, void *arg, unsigned n)
{
  uint64_t ticket;

  team->fn = fn;
  team->arg = arg;
  atomic_store (&team->done, 0);
  ticket = ((atomic_load (&team->ticket) >> 32) + 1) << 32 | (uint64_t) n << 16;
  atomic_store (&team->ticket, ticket);
  if (atomic_load (&team->sleepers))
    wake (team);
  work (team, ticket);
  for (int i = 0; atomic_load (&team->done) < n; i++)
    if (i < SPINS)
      PAUSE ();
    else
      sched_yield ();
}
