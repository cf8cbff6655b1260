/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The thread that runs plans, so that a process has one team of threads however many streaming threads it has.
 * Plans take turns in it. Operations of our own share their work among the device's team; oneDNN's among that of its
 * OpenMP runtime (libgomp), which belongs to this thread as well. */
#include "cpu.h"
#include "team.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* Of the runtime that oneDNN is linked with, whatever the compiler's own is. */
extern void omp_set_num_threads (int n);

#define TURN_NS 20000000

typedef struct Job Job;
struct Job
{
  void (*call) (void *arg); /* a single call instead of a plan, or NULL */
  void *arg;
  AkCpuPlan *plan;
  const atomic_int *cancel;
  size_t next_node;
  AkStatus status;
  int done; /* under the worker's lock: who waits then takes the job away */
  Job *next;
};

struct AkWorker
{
  AkCpu *cpu;
  AkTeam *team;
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t work; /* a job was queued, or the end */
  pthread_cond_t done; /* a job was finished */
  Job *first, **last;
  int quit;
  pthread_mutex_t share; /* of the next one */
  AkTeam *sharers;       /* of ak_cpu_share(), made at its first call */
};

static long long
now_ns (void)
{
  struct timespec t;

  clock_gettime (CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Runs nodes of `job` until its end, its cancelling or the end of its turn. Returns whether nothing is left of it. */
static int
run_turn (AkWorker *w, Job *job)
{
  long long end = now_ns () + TURN_NS;

  if (job->call) {
    job->call (job->arg);
    return 1;
  }
  while (job->next_node < job->plan->n_nodes) {
    const AkNode *node = &job->plan->nodes[job->next_node];

    if (job->cancel && atomic_load_explicit (job->cancel, memory_order_relaxed)) {
      job->status = AK_CANCELLED;
      break;
    }
    node->run (w->cpu, node->args);
    job->next_node++;
    if (now_ns () >= end)
      break;
  }
  return job->status != AK_OK || job->next_node == job->plan->n_nodes;
}

static void *
worker_main (void *data)
{
  AkWorker *w = data;

  omp_set_num_threads ((int) w->cpu->base.threads);
  pthread_mutex_lock (&w->lock);
  for (;;) {
    Job *job;
    int done;

    while (!w->first && !w->quit)
      pthread_cond_wait (&w->work, &w->lock);
    if (!w->first)
      break;
    job = w->first;
    w->first = job->next;
    if (!w->first)
      w->last = &w->first;
    pthread_mutex_unlock (&w->lock);
    done = run_turn (w, job);
    pthread_mutex_lock (&w->lock);
    if (done) {
      job->done = 1;
      pthread_cond_broadcast (&w->done);
    } else {
      job->next = NULL;
      *w->last = job;
      w->last = &job->next;
    }
  }
  pthread_mutex_unlock (&w->lock);
  return NULL;
}

AkWorker *
ak_worker_new (AkCpu *cpu, AkStatus *status)
{
  AkWorker *w = calloc (1, sizeof *w);

  if (!w) {
    *status = AK_ERR_MEMORY;
    return NULL;
  }
  w->cpu = cpu;
  w->team = ak_team_new (cpu->base.threads);
  if (!w->team) {
    free (w);
    *status = AK_ERR_DEVICE;
    return NULL;
  }
  w->last = &w->first;
  pthread_mutex_init (&w->lock, NULL);
  pthread_cond_init (&w->work, NULL);
  pthread_cond_init (&w->done, NULL);
  pthread_mutex_init (&w->share, NULL);
  if (pthread_create (&w->thread, NULL, worker_main, w) != 0) {
    ak_team_free (w->team);
    free (w);
    *status = AK_ERR_DEVICE;
    return NULL;
  }
  return w;
}

void
ak_worker_free (AkWorker *w)
{
  pthread_mutex_lock (&w->lock);
  w->quit = 1;
  pthread_cond_signal (&w->work);
  pthread_mutex_unlock (&w->lock);
  pthread_join (w->thread, NULL);
  ak_team_free (w->team);
  ak_team_free (w->sharers);
  pthread_mutex_destroy (&w->share);
  pthread_cond_destroy (&w->work);
  pthread_cond_destroy (&w->done);
  pthread_mutex_destroy (&w->lock);
  free (w);
}

static void
run_job (AkWorker *w, Job *job)
{
  pthread_mutex_lock (&w->lock);
  *w->last = job;
  w->last = &job->next;
  pthread_cond_signal (&w->work);
  while (!job->done)
    pthread_cond_wait (&w->done, &w->lock);
  pthread_mutex_unlock (&w->lock);
}

AkStatus
ak_worker_run (AkWorker *w, AkCpuPlan *plan, const atomic_int *cancel)
{
  Job job = { .plan = plan, .cancel = cancel };

  run_job (w, &job);
  return job.status;
}

void
ak_worker_call (AkWorker *w, void (*fn) (void *arg), void *arg)
{
  Job job = { .call = fn, .arg = arg };

  run_job (w, &job);
}

void
ak_cpu_parallel_parts (AkCpu *cpu, AkParallel *fn, void *arg, unsigned n)
{
  if (cpu->base.threads == 1)
    fn (arg, 0, 1);
  else
    ak_team_run (cpu->worker->team, fn, arg, n);
}

void
ak_cpu_parallel (AkCpu *cpu, AkParallel *fn, void *arg)
{
  ak_cpu_parallel_parts (cpu, fn, arg, cpu->base.threads);
}

void
ak_cpu_share (AkCpu *cpu, AkParallel *fn, void *arg, unsigned n)
{
  AkWorker *w = cpu->worker;
  unsigned threads = cpu->base.threads < AK_CPU_SHARERS ? cpu->base.threads : AK_CPU_SHARERS;

  if (threads > 1 && n > 1 && pthread_mutex_trylock (&w->share) == 0) {
    if (!w->sharers)
      w->sharers = ak_team_new (threads);
    if (w->sharers) {
      ak_team_run (w->sharers, fn, arg, n);
      n = 0;
    }
    pthread_mutex_unlock (&w->share);
  }
  for (unsigned i = 0; i < n; i++)
    fn (arg, i, n);
}
