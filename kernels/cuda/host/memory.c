/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One range of addresses, cut into blocks of whole pages. */
#define _GNU_SOURCE
#include "memory.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define RANGE ((size_t) 1 << 36) /* addresses, not memory */
#define PAGE ((size_t) 4096)

typedef struct
{
  size_t at, bytes;
  int used;
} Block;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *range;
static Block *blocks; /* by address; what follows the last was never used */
static size_t n_blocks, room, end;
static unsigned users;

static void
protect (size_t at, size_t bytes)
{
  if (bytes && mprotect (range + at, bytes, users ? PROT_READ | PROT_WRITE : PROT_NONE) != 0)
    abort ();
}

/* Makes place for a block at `i`. */
static int
insert (size_t i, Block block)
{
  if (n_blocks == room) {
    size_t more = room ? 2 * room : 256;
    Block *grown = realloc (blocks, more * sizeof *grown);

    if (!grown)
      return 0;
    blocks = grown;
    room = more;
  }
  memmove (blocks + i + 1, blocks + i, (n_blocks - i) * sizeof *blocks);
  blocks[i] = block;
  n_blocks++;
  return 1;
}

/* The offset of a used block of `bytes`, or RANGE. */
static size_t
take (size_t bytes)
{
  for (size_t i = 0; i < n_blocks; i++) {
    Block *b = &blocks[i];

    if (b->used || b->bytes < bytes)
      continue;
    if (b->bytes > bytes) {
      Block rest = { b->at + bytes, b->bytes - bytes, 0 };

      if (!insert (i + 1, rest))
        return RANGE;
      b = &blocks[i];
      b->bytes = bytes;
    }
    b->used = 1;
    return b->at;
  }
  if (bytes > RANGE - end || !insert (n_blocks, (Block){ end, bytes, 1 }))
    return RANGE;
  end += bytes;
  protect (end - bytes, bytes);
  return end - bytes;
}

void *
ak_host_memory_new (size_t bytes)
{
  size_t rounded = (bytes + PAGE - 1) / PAGE * PAGE, at = RANGE;

  if (rounded < bytes)
    return NULL;
  pthread_mutex_lock (&lock);
  if (!range) {
    range = mmap (NULL, RANGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED)
      range = NULL;
  }
  if (range)
    at = take (rounded ? rounded : PAGE);
  pthread_mutex_unlock (&lock);
  if (at == RANGE)
    return NULL;
  ak_host_memory_open ();
  memset (range + at, 0xff, bytes);
  ak_host_memory_close ();
  return range + at;
}

void
ak_host_memory_free (void *ptr)
{
  size_t i = 0;

  if (!ptr)
    return;
  pthread_mutex_lock (&lock);
  while (i < n_blocks && range + blocks[i].at != ptr)
    i++;
  if (i == n_blocks || !blocks[i].used)
    abort ();
  blocks[i].used = 0;
  (void) madvise (ptr, blocks[i].bytes, MADV_DONTNEED);
  if (i + 1 < n_blocks && !blocks[i + 1].used) {
    blocks[i].bytes += blocks[i + 1].bytes;
    memmove (blocks + i + 1, blocks + i + 2, (n_blocks - i - 2) * sizeof *blocks);
    n_blocks--;
  }
  if (i && !blocks[i - 1].used) {
    blocks[i - 1].bytes += blocks[i].bytes;
    memmove (blocks + i, blocks + i + 1, (n_blocks - i - 1) * sizeof *blocks);
    n_blocks--;
  }
  pthread_mutex_unlock (&lock);
}

void
ak_host_memory_open (void)
{
  pthread_mutex_lock (&lock);
  if (users++ == 0)
    protect (0, end);
  pthread_mutex_unlock (&lock);
}

void
ak_host_memory_close (void)
{
  pthread_mutex_lock (&lock);
  if (--users == 0)
    protect (0, end);
  pthread_mutex_unlock (&lock);
}
