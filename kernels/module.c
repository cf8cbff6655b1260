/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "module.h"
#include "cuda/open.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_CARD 9999

/* The card of "cuda" or "cuda:N", or -1. */
static int
card_of (const char *name)
{
  char *end;
  long index;

  if (strcmp (name, "cuda") == 0)
    return 0;
  if (strncmp (name, "cuda:", 5) != 0 || name[5] < '0' || name[5] > '9')
    return -1;
  index = strtol (name + 5, &end, 10);
  return *end || index > MAX_CARD ? -1 : (int) index;
}

int
ak_module_has (const char *name)
{
  return strcmp (name, "cuda:host") == 0 || card_of (name) >= 0;
}

int
ak_module_path (const char *file, char *path, size_t size)
{
  const char *folders = getenv ("ARTALK_MODULE_DIR");

  if (!folders || !*folders)
    folders = AK_MODULE_DIR;
  for (;;) {
    size_t n = strcspn (folders, ":");

    snprintf (path, size, "%.*s/%s", (int) n, folders, file);
    if (access (path, F_OK) == 0)
      return 1;
    if (!folders[n])
      return 0;
    folders += n + 1;
  }
}

/* `needs` is a library that is looked for first, as modules and what they are linked with are large. */
static AkCudaOpen *
find_open (const char *file, const char *needs, char *problem, size_t size)
{
  AkCudaOpen *open_card = NULL;
  void *module = NULL;
  char path[4096];

  if (!ak_module_path (file, path, sizeof path)) {
    snprintf (problem, size, "this is a build without CUDA: there is no %s", path);
  } else if (needs && !dlopen (needs, RTLD_NOW | RTLD_LOCAL)) {
    snprintf (problem, size, "there is no NVIDIA driver (%s)", needs);
  } else {
    module = dlopen (path, RTLD_NOW | RTLD_LOCAL);
    if (module)
      *(void **) &open_card = dlsym (module, "artalk_cuda_open");
    if (!open_card)
      snprintf (problem, size, "the CUDA module cannot be opened: %s", dlerror ());
  }
  return open_card;
}

AkDevice *
ak_module_open (const char *name, AkStatus *status, char *problem, size_t size)
{
  int card = card_of (name);
  AkCudaOpen *open_card = card < 0 ? find_open ("libartalkcudahost.so", NULL, problem, size)
                                   : find_open ("libartalkcuda.so", "libcuda.so.1", problem, size);

  if (!open_card) {
    *status = AK_ERR_DEVICE;
    return NULL;
  }
  return open_card (ARTALK_VERSION, sizeof (AkOps), card < 0 ? 0 : card, status, problem, size);
}
