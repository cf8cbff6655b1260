/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "batch.h"

#include "kernels/members.h"
#include "model_priv.h"

#define SIZES 9                             /* of plans: 1, 2, … AM_BATCH_LIMIT */
#define LOOK (20 * G_TIME_SPAN_MILLISECOND) /* at the cancel flag, at least so often */

typedef enum {
  IDLE,
  WAITING, /* for its batch to start */
  RUNNING,
  DROPPED, /* was cancelled while it was running: the batch still uses its places */
  DONE,    /* its result is there */
} State;

/* What a batch knows of a stream: a batch under way may outlive it. */
typedef struct
{
  gatomicrefcount refs;
  AkDevice *dev;
  float *places[AM_MOST_PLACES];

  /* the batcher's lock */
  State state;
  guint32 programs;
  unsigned most;
  gint64 due; /* monotonic time by which its batch is to start */
  AkStatus status;
  GCond changed;
} Member;

typedef struct
{
  AkPlan *plan;
  void *table; /* [n_places][size] pointers */
} Sized;

struct _AmBatcher
{
  AmModel *model; /* which owns this */
  AmNetwork network;
  GThread *thread;
  GMutex lock;
  GCond wake;
  GQueue waiting;  /* of Member, the longest first */
  unsigned n_open; /* streams there are */
  guint64 batches, members;
  unsigned wanted; /* members of the batch under way that were not cancelled */
  gboolean quit;
  atomic_int cancel; /* of the batch under way */

  /* the thread's own */
  AkQueue *queue;
  unsigned largest; /* that there is memory for */
  Sized plans[AM_MOST_PROGRAMS][SIZES];
};

struct _AmRunner
{
  AkQueue *queue;
  Member *member;
  unsigned n_programs;
  AkPlan *plans[AM_MOST_PROGRAMS]; /* of a stream alone */
  AmBatcher *batcher;              /* else */
  gint64 wait;
};

/* Members */

static void
member_unref (Member *m)
{
  if (!g_atomic_ref_count_dec (&m->refs))
    return;
  for (unsigned i = 0; i < AM_MOST_PLACES; i++)
    ak_free (m->dev, m->places[i]);
  g_cond_clear (&m->changed);
  g_free (m);
}

static Member *
member_new (AkDevice *dev, const AmNetwork *network)
{
  Member *m = g_new0 (Member, 1);

  g_atomic_ref_count_init (&m->refs);
  g_cond_init (&m->changed);
  m->dev = dev;
  for (unsigned i = 0; i < network->n_places; i++) {
    m->places[i] = ak_alloc (dev, network->numbers[i] * sizeof (float));
    if (!m->places[i]) {
      member_unref (m);
      return NULL;
    }
  }
  return m;
}

/* Nobody wants its result any more. Under the lock. */
static void
drop (AmBatcher *b, Member *m)
{
  if (m->state == WAITING) {
    g_queue_remove (&b->waiting, m);
    m->state = IDLE;
  } else if (m->state == RUNNING) {
    m->state = DROPPED;
    if (--b->wanted == 0)
      atomic_store (&b->cancel, 1);
  }
}

/* Waits for a change, or until it is time to look at `cancel` again. Under the lock. */
static void
await (AmBatcher *b, Member *m, const atomic_int *cancel)
{
  if (cancel)
    g_cond_wait_until (&m->changed, &b->lock, g_get_monotonic_time () + LOOK);
  else
    g_cond_wait (&m->changed, &b->lock);
}

static gboolean
is_set (const atomic_int *cancel)
{
  return cancel && atomic_load_explicit (cancel, memory_order_relaxed);
}

/* Plans. The batcher's thread from here on. */

static void
forget_plans (AmBatcher *b)
{
  for (unsigned p = 0; p < b->network.n_programs; p++)
    for (unsigned s = 0; s < SIZES; s++) {
      ak_plan_free (b->plans[p][s].plan);
      b->plans[p][s].plan = NULL;
    }
}

/* A copy of all members' places that are in `which`, to the batch or back. */
static void
record_places (const AmBatcher *b, const Sized *sized, float *const *places, unsigned size,
    guint32 which, gboolean back)
{
  for (unsigned i = 0; i < b->network.n_places; i++) {
    const size_t n = b->network.numbers[i];
    const AkMembers args = { .view = ak_dense (places[i], 1, n),
      .table = (float *const *) sized->table + (size_t) i * size,
      .batch = size,
      .rows = 1,
      .cols = n };

    if (!(which >> i & 1))
      continue;
    if (back)
      ak_members_scatter (sized->plan, &args);
    else
      ak_members_gather (sized->plan, &args);
  }
}

/* The plan of `program` for 1 << `s` members, or NULL with `*status`. */
static const Sized *
get_plan (AmBatcher *b, unsigned program, unsigned s, AkStatus *status)
{
  const AmNetwork *n = &b->network;
  const unsigned size = 1u << s;
  Sized *sized = &b->plans[program][s];
  float *places[AM_MOST_PLACES] = { NULL };

  if (sized->plan)
    return sized;
  sized->plan = ak_plan_new (am_model_device (b->model));
  if (!sized->plan) {
    *status = AK_ERR_MEMORY;
    return NULL;
  }
  sized->table = ak_plan_memory (sized->plan, (size_t) n->n_places * size * sizeof (float *));
  for (unsigned i = 0; i < n->n_places; i++)
    if ((n->reads[program] | n->writes[program]) >> i & 1)
      places[i] = ak_plan_memory (sized->plan, size * n->numbers[i] * sizeof (float));
  record_places (b, sized, places, size, n->reads[program], FALSE);
  n->record (b->model, sized->plan, program, places, size, NULL);
  record_places (b, sized, places, size, n->writes[program], TRUE);
  *status = ak_plan_finish (sized->plan);
  if (*status == AK_OK)
    return sized;
  ak_plan_free (sized->plan);
  sized->plan = NULL;
  return NULL;
}

/* For how many of `n` members the next plan is, as a power of two. A card is hardly slower with a few rows that nobody
 * needs, while a processor computes them. */
static unsigned
choose_size (const AmBatcher *b, unsigned n)
{
  unsigned s = 0;

  while (s + 1 < SIZES && 2u << s <= MIN (n, b->largest))
    s++;
  if (ak_device_threads (am_model_device (b->model)) == 0 && s + 1 < SIZES &&
      2u << s <= b->largest && 4 * n >= 3 * (2u << s))
    s++;
  return s;
}

/* Runs one program for those of the members that want it. */
static AkStatus
run_program (AmBatcher *b, unsigned program, Member *const *members, unsigned n)
{
  float *table[AM_MOST_PLACES * AM_BATCH_LIMIT];
  Member *some[AM_BATCH_LIMIT];
  unsigned left = 0, at = 0;
  AkStatus status = AK_OK;

  for (unsigned i = 0; i < n; i++)
    if (members[i]->programs >> program & 1)
      some[left++] = members[i];
  while (left > 0 && status == AK_OK) {
    const unsigned s = choose_size (b, left), size = 1u << s, now = MIN (size, left);
    const Sized *sized = get_plan (b, program, s, &status);

    if (!sized && status == AK_ERR_MEMORY && s > 0) { /* in smaller parts, then */
      status = ak_queue_sync (b->queue);
      forget_plans (b);
      b->largest = size / 2;
      continue;
    }
    if (!sized)
      break;
    for (unsigned i = 0; i < b->network.n_places; i++)
      for (unsigned k = 0; k < size; k++)
        table[i * size + k] = k < now ? some[at + k]->places[i] : NULL;
    status = ak_upload (b->queue, sized->table, table, b->network.n_places * size * sizeof *table);
    if (status == AK_OK)
      status = ak_plan_run (sized->plan, b->queue, &b->cancel);
    at += now;
    left -= now;
  }
  return status;
}

static AkStatus
run_batch (AmBatcher *b, Member *const *members, unsigned n)
{
  AkStatus status = AK_OK, end;

  for (unsigned p = 0; p < b->network.n_programs && status == AK_OK; p++)
    status = run_program (b, p, members, n);
  end = ak_queue_sync (b->queue);
  return status == AK_OK ? end : status;
}

/* How many of those who wait, from the first on, are the next batch. 0 if it should not start yet; then `*until` is when to
 * look again. Under the lock. */
static unsigned
next_batch (const AmBatcher *b, gint64 *until)
{
  const guint waiting = g_queue_get_length ((GQueue *) &b->waiting);
  unsigned n = 0, most = AM_BATCH_LIMIT;
  gboolean open = TRUE;

  *until = G_MAXINT64;
  for (const GList *l = b->waiting.head; l; l = l->next) {
    const Member *m = l->data;

    *until = MIN (*until, m->due);
    most = MIN (most, m->most);
    open = open && n < most;
    n += open;
  }
  return n >= most || waiting >= b->n_open || g_get_monotonic_time () >= *until ? n : 0;
}

/* Runs the next batch of `n`. Under the lock, which it lets go meanwhile. */
static void
run_next (AmBatcher *b, unsigned n)
{
  Member *members[AM_BATCH_LIMIT];
  AkStatus status;

  for (unsigned i = 0; i < n; i++) {
    members[i] = g_queue_pop_head (&b->waiting);
    members[i]->state = RUNNING;
    g_atomic_ref_count_inc (&members[i]->refs);
  }
  b->wanted = n;
  b->batches++;
  b->members += n;
  atomic_store (&b->cancel, 0);
  g_mutex_unlock (&b->lock);
  status = run_batch (b, members, n);
  g_mutex_lock (&b->lock);
  for (unsigned i = 0; i < n; i++) {
    Member *m = members[i];

    m->status = status;
    m->state = m->state == DROPPED ? IDLE : DONE;
    g_cond_signal (&m->changed);
  }
  for (unsigned i = 0; i < n; i++)
    member_unref (members[i]);
}

static gpointer
batcher_thread (gpointer data)
{
  AmBatcher *b = data;

  g_mutex_lock (&b->lock);
  while (!b->quit) {
    gint64 until = G_MAXINT64;
    unsigned n = b->waiting.length ? next_batch (b, &until) : 0;

    if (n)
      run_next (b, n);
    else if (until == G_MAXINT64)
      g_cond_wait (&b->wake, &b->lock);
    else
      g_cond_wait_until (&b->wake, &b->lock, until);
  }
  g_mutex_unlock (&b->lock);
  return NULL;
}

AmBatcher *
am_batcher_new (AmModel *model, const AmNetwork *network)
{
  AkQueue *queue = ak_queue_new (am_model_device (model));
  AmBatcher *b;

  if (!queue)
    return NULL;
  b = g_new0 (AmBatcher, 1);
  b->model = model;
  b->network = *network;
  b->queue = queue;
  b->largest = AM_BATCH_LIMIT;
  g_mutex_init (&b->lock);
  g_cond_init (&b->wake);
  g_queue_init (&b->waiting);
  b->thread = g_thread_new ("artalk-batch", batcher_thread, b);
  return b;
}

void
am_batcher_free (AmBatcher *b)
{
  if (!b)
    return;
  g_mutex_lock (&b->lock);
  b->quit = TRUE;
  g_cond_signal (&b->wake);
  g_mutex_unlock (&b->lock);
  g_thread_join (b->thread);
  forget_plans (b);
  ak_queue_free (b->queue);
  g_mutex_clear (&b->lock);
  g_cond_clear (&b->wake);
  g_free (b);
}

void
am_batcher_counts (AmBatcher *b, guint64 *batches, guint64 *members)
{
  g_mutex_lock (&b->lock);
  *batches = b->batches;
  *members = b->members;
  g_mutex_unlock (&b->lock);
}

/* Runners */

unsigned
am_batch_most (const AmModel *model, unsigned wanted)
{
  if (wanted == 0)
    return ak_device_threads (am_model_device (model)) ? 1 : AM_BATCH_CARD;
  return MIN (wanted, AM_BATCH_LIMIT);
}

/* The plans of a stream alone, right on its places. */
static AkStatus
record_alone (AmRunner *r, AmModel *model, const AmNetwork *network, gpointer data)
{
  AkStatus status = AK_OK;

  for (unsigned p = 0; p < network->n_programs && status == AK_OK; p++) {
    r->plans[p] = ak_plan_new (am_model_device (model));
    if (!r->plans[p])
      return AK_ERR_MEMORY;
    network->record (model, r->plans[p], p, r->member->places, 1, data);
    status = ak_plan_finish (r->plans[p]);
  }
  return status;
}

AmRunner *
am_runner_new (AmModel *model, const AmNetwork *network, const AmBatching *batching, gpointer data,
    GError **error)
{
  const unsigned most = am_batch_most (model, batching->most);
  AmRunner *r = g_new0 (AmRunner, 1);
  AkStatus status = AK_ERR_MEMORY;

  r->n_programs = network->n_programs;
  r->wait = batching->wait;
  r->queue = ak_queue_new (am_model_device (model));
  r->member = member_new (am_model_device (model), network);
  if (!r->queue || !r->member)
    goto failed;
  r->member->most = most;
  if (most == 1) {
    status = record_alone (r, model, network, data);
  } else {
    r->batcher = am_model_batcher (model, network);
    status = r->batcher ? AK_OK : AK_ERR_MEMORY;
  }
  if (status != AK_OK)
    goto failed;
  if (r->batcher) {
    g_mutex_lock (&r->batcher->lock);
    r->batcher->n_open++;
    g_mutex_unlock (&r->batcher->lock);
  }
  return r;

failed:
  am_error_from_status (status, network->name, error);
  am_runner_free (r);
  return NULL;
}

void
am_runner_free (AmRunner *r)
{
  if (!r)
    return;
  if (r->batcher) {
    g_mutex_lock (&r->batcher->lock);
    r->batcher->n_open--;
    g_cond_signal (&r->batcher->wake); /* the others may be all there are now */
    g_mutex_unlock (&r->batcher->lock);
  }
  for (unsigned p = 0; p < r->n_programs; p++)
    ak_plan_free (r->plans[p]);
  g_clear_pointer (&r->member, member_unref);
  ak_queue_free (r->queue);
  g_free (r);
}

AkQueue *
am_runner_queue (AmRunner *r)
{
  return r->queue;
}

float *
am_runner_place (AmRunner *r, unsigned place)
{
  return r->member->places[place];
}

AkStatus
am_runner_settle (AmRunner *r, const atomic_int *cancel)
{
  AkStatus status = AK_OK;

  if (!r->batcher)
    return AK_OK;
  g_mutex_lock (&r->batcher->lock);
  while (r->member->state == DROPPED && status == AK_OK) {
    if (is_set (cancel))
      status = AK_CANCELLED;
    else
      await (r->batcher, r->member, cancel);
  }
  g_mutex_unlock (&r->batcher->lock);
  return status;
}

static AkStatus
hand_in (AmRunner *r, guint32 programs, const atomic_int *cancel)
{
  AkStatus status = ak_queue_sync (r->queue);
  AmBatcher *b = r->batcher;
  Member *m = r->member;

  if (status != AK_OK)
    return status;
  g_mutex_lock (&b->lock);
  m->programs = programs;
  m->due = g_get_monotonic_time () + r->wait;
  m->state = WAITING;
  g_queue_push_tail (&b->waiting, m);
  g_cond_signal (&b->wake);
  while (m->state != DONE && !is_set (cancel))
    await (b, m, cancel);
  if (m->state == DONE) {
    status = m->status;
    m->state = IDLE;
  } else {
    drop (b, m);
    status = AK_CANCELLED;
  }
  g_mutex_unlock (&b->lock);
  return status;
}

AkStatus
am_runner_run (AmRunner *r, guint32 programs, const atomic_int *cancel)
{
  AkStatus status = AK_OK;

  if (r->batcher)
    return hand_in (r, programs, cancel);
  for (unsigned p = 0; p < r->n_programs && status == AK_OK; p++)
    if (programs >> p & 1)
      status = ak_plan_run (r->plans[p], r->queue, cancel);
  return status;
}
