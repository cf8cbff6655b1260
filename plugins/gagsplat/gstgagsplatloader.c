/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstgagsplatloader.h"

#include <glib/gstdio.h>
#include <unistd.h>

#include "models/error.h"

struct _GstGagSplatLoader
{
  AmAvatarModel *model;
  AmTracked *people;
  GstGagSplatProgress progress;
  gpointer data;
  GThread *thread;
  atomic_int cancel; /* of what is being prepared */
  GMutex telling;    /* held during progress(); before the next one */

  GMutex lock;
  GCond changed;
  gboolean quit;
  AmAvatarView *view; /* given to end() */
  char *current;      /* whose end has not been told yet */
  gboolean asked;     /* the thread has something to do: */
  AmPerson *wanted;   /* owned; NULL for a model that needs none */
  gboolean ready;     /* there is something to take: */
  AmAvatar *avatar;
  GError *error;
};

typedef struct
{
  GstGagSplatLoader *loader;
  const char *name;
} Told;

/* Tells of the current person, unless end() does. */
static void
tell_of (GstGagSplatLoader *self, const char *name, double done)
{
  gboolean quit;

  g_mutex_lock (&self->telling);
  g_mutex_lock (&self->lock);
  quit = self->quit;
  if (!quit && (done < 0 || done >= 1))
    g_clear_pointer (&self->current, g_free);
  g_mutex_unlock (&self->lock);
  if (!quit)
    self->progress (name, done, self->data);
  g_mutex_unlock (&self->telling);
}

static void
tell (double done, gpointer data)
{
  const Told *told = data;

  if (done < 1)
    tell_of (told->loader, told->name, done);
}

static char *
cache_folder (void)
{
  return g_build_filename (g_get_user_cache_dir (), "artalk", "avatars", NULL);
}

/* Under another name first: two processes may write the same one, and either may be killed. A cache that cannot be
 * written costs time, nothing else. */
static void
keep (AmAvatar *avatar, const char *folder, const char *path)
{
  g_autofree char *part = g_strdup_printf ("%s.%d-%08x", path, (int) getpid (), g_random_int ());
  g_autoptr (GError) error = NULL;

  if (g_mkdir_with_parents (folder, 0700) == 0 && am_avatar_write (avatar, part, &error) &&
      g_rename (part, path) == 0)
    return;
  g_info ("%s: not kept%s%s", path, error ? ": " : "", error ? error->message : "");
  g_unlink (part);
}

/* From the cache, else by the networks. */
static AmAvatar *
make (GstGagSplatLoader *self, const AmPerson *person, GError **error)
{
  Told told = { self, person ? person->name : "" };
  g_autofree char *folder = cache_folder (), *key = NULL, *file = NULL, *path = NULL;
  g_autoptr (GError) unread = NULL;
  AmAvatar *avatar;

  if (!person)
    return am_avatar_prepare (self->model, NULL, &self->cancel, NULL, NULL, error);
  key = am_avatar_key (self->model, person);
  file = g_strconcat (key, ".safetensors", NULL);
  path = g_build_filename (folder, file, NULL);
  if (g_file_test (path, G_FILE_TEST_EXISTS)) {
    avatar = am_avatar_read (self->model, path, key, &unread);
    if (avatar)
      return avatar;
    g_info ("prepared anew: %s", unread->message);
  }
  avatar = am_avatar_prepare (self->model, person, &self->cancel, tell, &told, error);
  if (avatar)
    keep (avatar, folder, path);
  return avatar;
}

static void
drop_result (GstGagSplatLoader *self)
{
  g_clear_pointer (&self->avatar, am_avatar_unref);
  g_clear_error (&self->error);
  self->ready = FALSE;
}

static gpointer
work (gpointer data)
{
  GstGagSplatLoader *self = data;

  g_mutex_lock (&self->lock);
  while (!self->quit) {
    g_autoptr (AmPerson) person = NULL;
    g_autoptr (AmAvatar) avatar = NULL;
    g_autoptr (GError) error = NULL;
    gboolean good;

    if (!self->asked) {
      g_cond_wait (&self->changed, &self->lock);
      continue;
    }
    person = g_steal_pointer (&self->wanted);
    self->current = person ? g_strdup (person->name) : NULL;
    self->asked = FALSE;
    atomic_store (&self->cancel, 0);
    g_mutex_unlock (&self->lock);
    avatar = make (self, person, &error);
    g_mutex_lock (&self->lock);
    good = avatar != NULL && !self->asked && !self->quit;
    if (!self->asked && !self->quit) { /* else somebody else is wanted by now */
      drop_result (self);
      self->avatar = g_steal_pointer (&avatar);
      self->error = g_steal_pointer (&error);
      self->ready = TRUE;
      g_cond_broadcast (&self->changed);
    }
    if (person) {
      g_mutex_unlock (&self->lock);
      tell_of (self, person->name, good ? 1 : -1);
      g_mutex_lock (&self->lock);
    }
  }
  g_mutex_unlock (&self->lock);
  drop_result (self);
  g_clear_pointer (&self->view, am_avatar_view_free);
  g_clear_pointer (&self->wanted, am_person_free);
  g_clear_pointer (&self->people, am_tracked_free);
  am_avatar_model_unref (self->model);
  return NULL;
}

GstGagSplatLoader *
gst_gag_splat_loader_new (
    AmAvatarModel *model, AmTracked *people, GstGagSplatProgress progress, gpointer data)
{
  GstGagSplatLoader *self = g_new0 (GstGagSplatLoader, 1);

  self->model = am_avatar_model_ref (model);
  self->people = people;
  self->progress = progress;
  self->data = data;
  g_mutex_init (&self->telling);
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  self->thread = g_thread_new ("artalk-avatars", work, self);
  return self;
}

void
gst_gag_splat_loader_end (GstGagSplatLoader *self, AmAvatarView *view)
{
  g_autofree char *name = NULL;

  atomic_store (&self->cancel, 1);
  g_mutex_lock (&self->telling);
  g_mutex_lock (&self->lock);
  self->quit = TRUE;
  self->view = view;
  name = g_steal_pointer (&self->current);
  atomic_store (&self->cancel, 1); /* whatever was begun meanwhile */
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
  if (name)
    self->progress (name, -1, self->data);
  g_mutex_unlock (&self->telling);
}

void
gst_gag_splat_loader_free (GstGagSplatLoader *self)
{
  if (!self)
    return;
  if (!self->quit)
    gst_gag_splat_loader_end (self, NULL);
  g_thread_join (self->thread);
  g_cond_clear (&self->changed);
  g_mutex_clear (&self->lock);
  g_mutex_clear (&self->telling);
  g_free (self);
}

gboolean
gst_gag_splat_loader_ask (GstGagSplatLoader *self, const char *name, GError **error)
{
  g_autoptr (AmPerson) person = NULL;

  if (self->people) {
    person = am_tracked_person (self->people, name, error);
    if (!person)
      return FALSE;
  } else if (name) {
    g_set_error (error, AM_ERROR, AM_ERROR_MISMATCH,
        "there is no \"%s\": this model is one avatar itself; for tracked people set model= to "
        "GAGAvatar.pt",
        name);
    return FALSE;
  }
  g_mutex_lock (&self->lock);
  g_clear_pointer (&self->wanted, am_person_free);
  self->wanted = g_steal_pointer (&person);
  self->asked = TRUE;
  atomic_store (&self->cancel, 1);
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
  return TRUE;
}

gboolean
gst_gag_splat_loader_take (GstGagSplatLoader *self, AmAvatar **avatar, GError **error)
{
  gboolean ready;

  g_mutex_lock (&self->lock);
  ready = self->ready;
  self->ready = FALSE;
  *avatar = g_steal_pointer (&self->avatar);
  if (self->error)
    g_propagate_error (error, g_steal_pointer (&self->error));
  g_mutex_unlock (&self->lock);
  return ready;
}

gboolean
gst_gag_splat_loader_wait (GstGagSplatLoader *self, const atomic_int *cancel)
{
  gboolean ready;

  g_mutex_lock (&self->lock);
  while (!self->ready && !atomic_load (cancel))
    g_cond_wait (&self->changed, &self->lock);
  ready = self->ready;
  g_mutex_unlock (&self->lock);
  return ready;
}

void
gst_gag_splat_loader_wake (GstGagSplatLoader *self)
{
  g_mutex_lock (&self->lock);
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}
