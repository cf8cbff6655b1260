/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The golden data's tiny avatar for tests of elements, and a cache of prepared avatars that is not the user's. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct
{
  char *dir; /* of the golden data */
  char *model, *head, *people, *mark;
  float *motion; /* of 6 frames */
} TestAvatar;

/* FALSE, with a line that says so, where the golden data are missing. */
gboolean test_avatar_open (TestAvatar *avatar);
void test_avatar_clear (TestAvatar *avatar);

void test_remove_cache (void);

G_END_DECLS
