/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A fibre runs threads of a block one after the other until one waits at a barrier; then the next fibre goes on. So a
 * kernel without barriers runs as a plain loop. Fibres are kept for later launches. */
#include "fibres.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define STACK ((size_t) 1 << 17)
#define MAX_THREADS 1024
#define WARP 32
#define WARPS (MAX_THREADS / WARP)

typedef enum { NOT_STARTED, READY, AT_BARRIER, AT_WARP, DONE } State;

/* Where something that does not run goes on. */
#if defined(__x86_64__)
typedef struct
{
  void *stack;
} Place;

/* Puts what a function must keep on the stack, and takes another stack on which the same was done: swapcontext() calls
 * the kernel for the signal mask, which costs more than all else here. */
void ak_host_change (Place *own, const Place *other);
__asm__(".text\n"
        ".hidden ak_host_change\n"
        ".globl ak_host_change\n"
        ".type ak_host_change, @function\n"
        "ak_host_change:\n"
        "  pushq %rbp\n"
        "  pushq %rbx\n"
        "  pushq %r12\n"
        "  pushq %r13\n"
        "  pushq %r14\n"
        "  pushq %r15\n"
        "  movq %rsp, (%rdi)\n"
        "  movq (%rsi), %rsp\n"
        "  popq %r15\n"
        "  popq %r14\n"
        "  popq %r13\n"
        "  popq %r12\n"
        "  popq %rbx\n"
        "  popq %rbp\n"
        "  ret\n"
        ".size ak_host_change, . - ak_host_change\n");

static void
change (Place *own, Place *other)
{
  ak_host_change (own, other);
}

static void
prepare (Place *place, void (*fn) (void))
{
  uintptr_t *top = aligned_alloc (64, STACK);

  if (!top)
    abort ();
  top += STACK / sizeof *top;
  top[-2] = (uintptr_t) fn; /* where the first change returns to; it never returns itself */
  place->stack = top - 8;
}
#else
typedef struct
{
  ucontext_t context;
} Place;

static void
change (Place *own, Place *other)
{
  swapcontext (&own->context, &other->context);
}

static void
prepare (Place *place, void (*fn) (void))
{
  void *stack = malloc (STACK);

  if (!stack || getcontext (&place->context) != 0)
    abort ();
  place->context.uc_stack.ss_sp = stack;
  place->context.uc_stack.ss_size = STACK;
  makecontext (&place->context, fn, 0);
}
#endif

typedef struct Fibre Fibre;
struct Fibre
{
  Place at;
  unsigned thread;
  Fibre *next_idle;
};

typedef struct
{
  unsigned arrived, wanted; /* lanes at the barrier, the mask they named */
  unsigned generation;
  char slots[2][WARP][16];
} Warp;

AkHostIndex ak_host_thread_index, ak_host_block_index, ak_host_block_size, ak_host_grid_size;
void *ak_host_shared;

static pthread_mutex_t launch_lock = PTHREAD_MUTEX_INITIALIZER;

/* the block that runs */
static struct
{
  void (*fn) (void *arg);
  void *arg;
  unsigned threads, next; /* next thread that was not started */
  unsigned done, arrived; /* at the block's barrier */
  unsigned count[2], generation;
  State state[MAX_THREADS];
  Fibre *fibre[MAX_THREADS];
  Warp warp[WARPS];
} block;
static Place scheduler;
static Fibre *running, *idle;

static void
set_thread (unsigned thread)
{
  AkHostIndex size = ak_host_block_size;

  ak_host_thread_index =
      (AkHostIndex){ thread % size.x, thread / size.x % size.y, thread / size.x / size.y };
}

static void
release_block (void)
{
  for (unsigned t = 0; t < block.threads; t++)
    if (block.state[t] == AT_BARRIER)
      block.state[t] = READY;
  block.arrived = 0;
  block.generation++;
  block.count[block.generation & 1] = 0;
}

/* Takes the threads that were not started, one after the other; after the last it waits for the next block. */
static void
fibre_main (void)
{
  for (;;) {
    Fibre *own = running;

    while (block.next < block.threads) {
      own->thread = block.next++;
      block.fibre[own->thread] = own;
      block.state[own->thread] = READY;
      set_thread (own->thread);
      block.fn (block.arg);
      own = running;
      block.state[own->thread] = DONE;
      block.done++;
      if (block.arrived && block.arrived + block.done == block.threads)
        release_block ();
    }
    own->next_idle = idle;
    idle = own;
    change (&own->at, &scheduler);
  }
}

static void
resume (Fibre *fibre)
{
  running = fibre;
  change (&scheduler, &fibre->at);
}

static Fibre *
take_idle (void)
{
  Fibre *fibre = idle;

  if (fibre) {
    idle = fibre->next_idle;
    return fibre;
  }
  fibre = calloc (1, sizeof *fibre);
  if (!fibre)
    abort ();
  prepare (&fibre->at, fibre_main);
  return fibre;
}

/* Leaves the running thread in `state` until something makes it READY. */
static void
wait_as (State state)
{
  Fibre *own = running;

  block.state[own->thread] = state;
  change (&own->at, &scheduler);
  set_thread (own->thread);
}

void
ak_host_barrier (void)
{
  block.arrived++;
  if (block.arrived + block.done == block.threads)
    release_block ();
  else
    wait_as (AT_BARRIER);
}

unsigned
ak_host_count (int predicate)
{
  unsigned at = block.generation & 1;

  if (predicate)
    block.count[at]++;
  ak_host_barrier ();
  return block.count[at];
}

unsigned
ak_host_lane (void)
{
  return running->thread % WARP;
}

/* The lanes of `mask` that there are. */
static unsigned
present (unsigned warp, unsigned mask)
{
  unsigned left = block.threads - warp * WARP;

  return left < WARP ? mask & ((1u << left) - 1) : mask;
}

static void
fail (const char *what)
{
  fprintf (stderr, "%s: block %u %u %u, thread %u of %u\n", what, ak_host_block_index.x,
      ak_host_block_index.y, ak_host_block_index.z, running->thread, block.threads);
  abort ();
}

void
ak_host_warp_barrier (unsigned mask)
{
  unsigned at = running->thread / WARP, lane = running->thread % WARP;
  Warp *w = &block.warp[at];

  mask = present (at, mask);
  if (!(mask >> lane & 1))
    fail ("a lane is not in the mask that it names");
  if (w->arrived && w->wanted != mask)
    fail ("lanes of a warp name different masks");
  w->wanted = mask;
  w->arrived |= 1u << lane;
  if (w->arrived != mask) {
    wait_as (AT_WARP);
    return;
  }
  for (unsigned i = 0; i < WARP; i++)
    if (mask >> i & 1 && i != lane)
      block.state[at * WARP + i] = READY;
  w->arrived = 0;
  w->generation++;
}

void
ak_host_exchange (unsigned mask, const void *mine, size_t bytes, unsigned from, void *got)
{
  Warp *w = &block.warp[running->thread / WARP];
  char (*slots)[16] = w->slots[w->generation & 1];

  if (bytes > sizeof slots[0])
    fail ("a shuffle of more than 16 bytes");
  memcpy (slots[running->thread % WARP], mine, bytes);
  ak_host_warp_barrier (mask);
  memcpy (got, slots[from % WARP], bytes);
}

unsigned
ak_host_ballot (unsigned mask, int predicate)
{
  unsigned at = running->thread / WARP, votes = 0;
  Warp *w = &block.warp[at];
  char (*slots)[16] = w->slots[w->generation & 1];

  slots[running->thread % WARP][0] = predicate != 0;
  ak_host_warp_barrier (mask);
  mask = present (at, mask);
  for (unsigned i = 0; i < WARP; i++)
    if (mask >> i & 1 && slots[i][0])
      votes |= 1u << i;
  return votes;
}

static void
run_block (void)
{
  block.next = block.done = block.arrived = block.generation = 0;
  block.count[0] = block.count[1] = 0;
  memset (block.state, 0, block.threads * sizeof block.state[0]);
  for (unsigned w = 0; w * WARP < block.threads; w++)
    block.warp[w].arrived = block.warp[w].generation = 0;
  while (block.done < block.threads) {
    int moved = 0;

    while (block.next < block.threads) {
      moved = 1;
      resume (take_idle ());
    }
    for (unsigned t = 0; t < block.threads; t++)
      if (block.state[t] == READY) {
        moved = 1;
        resume (block.fibre[t]);
      }
    if (!moved)
      fail ("a barrier that not all threads reach");
  }
}

void
ak_host_launch (
    AkHostIndex grid, AkHostIndex size, size_t shared, void (*fn) (void *arg), void *arg)
{
  uint64_t threads = (uint64_t) size.x * size.y * size.z;
  void *memory = aligned_alloc (64, (shared + 64) / 64 * 64);

  pthread_mutex_lock (&launch_lock);
  if (!memory || threads < 1 || threads > MAX_THREADS || !grid.x || !grid.y || !grid.z ||
      grid.y > 65535 || grid.z > 65535 || shared > 227 * 1024) {
    fprintf (stderr, "no such launch: grid %u %u %u, block %u %u %u, %zu bytes\n", grid.x, grid.y,
        grid.z, size.x, size.y, size.z, shared);
    abort ();
  }
  block.fn = fn;
  block.arg = arg;
  block.threads = (unsigned) threads;
  ak_host_grid_size = grid;
  ak_host_block_size = size;
  ak_host_shared = memory;
  for (unsigned z = 0; z < grid.z; z++)
    for (unsigned y = 0; y < grid.y; y++)
      for (unsigned x = 0; x < grid.x; x++) {
        ak_host_block_index = (AkHostIndex){ x, y, z };
        memset (memory, 0xff, shared); /* not zeros: nothing may count on them */
        run_block ();
      }
  pthread_mutex_unlock (&launch_lock);
  free (memory);
}
