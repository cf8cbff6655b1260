/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading heads and checking every number of them once. */
#include "checkpoint.h"
#include "face.h"
#include "head.h"
#include "head_priv.h"
#include "paths.h"

#include <math.h>
#include <string.h>

#define EXPRESSIONS 100 /* the last columns of shapedirs (model spec, section 8) */
#define MAX_JOINTS 32
#define MAX_VERTICES (1u << 24)

/* Open heads, so that streams share them: canonical path -> AmHead, without a reference. */
static GMutex heads_lock;
static GHashTable *heads;

static gboolean
fail (const AmWeights *w, AmError code, const char *tensor, const char *why, GError **error)
{
  g_set_error (error, AM_ERROR, code, "%s: %s: %s", am_weights_path (w), tensor, why);
  return FALSE;
}

static gboolean
shape_fail (const AmWeights *w, const AmTensor *t, const char *want, GError **error)
{
  g_autofree char *found = am_tensor_shape_string (t);
  g_autofree char *why = g_strdup_printf ("is %s, must be %s", found, want);

  return fail (w, AM_ERROR_SHAPE, t->name, why, error);
}

gboolean
am_head_check_finite (const AmWeights *w, const AmTensor *t, GError **error)
{
  float part[4096];

  for (size_t at = 0; at < t->n; at += G_N_ELEMENTS (part)) {
    size_t n = MIN (G_N_ELEMENTS (part), t->n - at);
    gboolean wrong = FALSE;

    am_tensor_read_f32 (t, at, n, part);
    for (size_t i = 0; i < n; i++) { /* isfinite() of all, which compilers do several at a time */
      guint32 bits;

      memcpy (&bits, part + i, sizeof bits);
      wrong |= (bits & 0x7f800000) == 0x7f800000;
    }
    for (size_t i = 0; i < n && wrong; i++)
      if (!isfinite (part[i])) {
        g_set_error (error, AM_ERROR, AM_ERROR_FORMAT, "%s: %s: element %zu is not a finite number",
            am_weights_path (w), t->name, at + i);
        return FALSE;
      }
  }
  return TRUE;
}

/* The index tensor `t` as uint32, each below `limit`. */
static uint32_t *
read_indices (const AmWeights *w, const AmTensor *t, size_t limit, GError **error)
{
  g_autofree int64_t *wide = NULL;
  g_autofree uint32_t *out = NULL;

  if (t->dtype == AM_F32 || t->dtype == AM_F16 || t->dtype == AM_BF16 || t->dtype == AM_F64) {
    shape_fail (w, t, "of an integer type", error);
    return NULL;
  }
  wide = am_tensor_to_i64 (t);
  out = g_new (uint32_t, t->n + 1);
  for (size_t i = 0; i < t->n; i++) {
    if (wide[i] < 0 || (uint64_t) wide[i] >= limit) {
      g_autofree char *why = g_strdup_printf (
          "element %zu is %" G_GINT64_FORMAT ", but there are %zu vertices", i, wide[i], limit);

      fail (w, AM_ERROR_FORMAT, t->name, why, error);
      return NULL;
    }
    out[i] = (uint32_t) wide[i];
  }
  return g_steal_pointer (&out);
}

static char **
read_names (const AmHead *head, const char *key)
{
  const char *list = am_weights_metadata (head->weights, key);
  char **names = list && *list ? g_strsplit (list, ",", -1) : g_new0 (char *, 1);

  for (char **n = names; *n; n++)
    g_strstrip (*n);
  return names;
}

static gboolean
read_parents (AmHead *head, GError **error)
{
  g_autofree int64_t *table = NULL;
  const AmTensor *t;

  if (!am_weights_check (head->weights, "flame_model.kintree_table", &t, error, 2, 2, 0))
    return FALSE;
  head->joints = t->shape[1];
  if (head->joints < 3 || head->joints > MAX_JOINTS)
    return shape_fail (head->weights, t, "[2,3] (root, neck, jaw) to [2,32]", error);
  table = am_tensor_to_i64 (t);
  head->parents = g_new (int32_t, head->joints);
  head->parents[0] = -1; /* whatever the file holds */
  for (size_t j = 1; j < head->joints; j++) {
    if (table[j] < 0 || (uint64_t) table[j] >= j)
      return fail (head->weights, AM_ERROR_FORMAT, t->name,
          "a joint's parent does not come before it", error);
    head->parents[j] = (int32_t) table[j];
  }
  return TRUE;
}

/* Finds the tensors of section 8 and checks their shapes and numbers. */
static gboolean
read_flame (AmHead *head, GError **error)
{
  AmWeights *w = head->weights;
  const AmTensor *f;
  size_t V, J;

  if (!am_weights_check (w, "flame_model.v_template", &head->v_template, error, 2, 0, 3))
    return FALSE;
  V = head->v_template->shape[0];
  if (V < 1 || V > MAX_VERTICES)
    return shape_fail (w, head->v_template, "[1 to 16777216,3]", error);
  if (!read_parents (head, error))
    return FALSE;
  J = head->joints;
  if (!am_weights_check (w, "flame_model.shapedirs", &head->shapedirs, error, 3, V, 3, 0) ||
      !am_weights_check (w, "flame_model.posedirs", &head->posedirs, error, 3, V, 3, 9 * (J - 1)) ||
      !am_weights_check (w, "flame_model.J_regressor", &head->regressor, error, 2, J, V) ||
      !am_weights_check (w, "flame_model.weights", &head->skinning, error, 2, V, J) ||
      !am_weights_check (w, "flame_model.f", &f, error, 2, 0, 3))
    return FALSE;
  if (head->shapedirs->shape[2] < EXPRESSIONS) {
    g_autofree char *why =
        g_strdup_printf ("has %zu directions, but the last %d must be expressions: "
                         "this head has no expressions",
            head->shapedirs->shape[2], EXPRESSIONS);

    return fail (head->weights, AM_ERROR_SHAPE, "flame_model.shapedirs", why, error);
  }
  if (f->shape[0] < 1 || f->shape[0] > 2 * (size_t) MAX_VERTICES)
    return shape_fail (head->weights, f, "[1 to 33554432,3]", error);
  head->info.vertices = (unsigned) V;
  head->info.faces = (unsigned) f->shape[0];
  head->info.expressions = EXPRESSIONS;
  head->info.shapes = (unsigned) (head->shapedirs->shape[2] - EXPRESSIONS);
  head->faces = read_indices (head->weights, f, V, error);
  return head->faces && am_head_check_finite (w, head->v_template, error) &&
         am_head_check_finite (w, head->shapedirs, error) &&
         am_head_check_finite (w, head->posedirs, error) &&
         am_head_check_finite (w, head->regressor, error) &&
         am_head_check_finite (w, head->skinning, error);
}

/* The tensors `groom.vertex` [n] and `groom.offset` [n,3], where they are there. */
static gboolean
read_groom (AmHead *head, AmWeights *w, GError **error)
{
  const AmTensor *vertex = am_weights_find (w, "groom.vertex"), *offset;
  uint32_t *rows;

  if (!vertex)
    return TRUE;
  if (!am_weights_check (w, "groom.offset", &offset, error, 2, vertex->n, 3) ||
      !am_head_check_finite (w, offset, error))
    return FALSE;
  rows = read_indices (w, vertex, head->info.vertices, error);
  if (!rows)
    return FALSE;
  g_free (head->groomed);
  g_free (head->groom);
  head->groomed = rows;
  head->groom = am_tensor_to_f32 (offset);
  head->n_groomed = vertex->n;
  return TRUE;
}

gboolean
am_head_read_looks (AmHead *head, AmWeights *w, GError **error)
{
  size_t V = head->info.vertices;
  const AmTensor *t;

  if (am_weights_find (w, "color")) {
    if (!am_weights_check (w, "color", &t, error, 2, V, 3) || !am_head_check_finite (w, t, error))
      return FALSE;
    g_free (head->colors);
    head->colors = am_tensor_to_f32 (t);
    for (size_t i = 0; i < 3 * V; i++)
      head->colors[i] = CLAMP (t->dtype == AM_U8 ? head->colors[i] / 255 : head->colors[i], 0, 1);
  }
  if (am_weights_find (w, "material")) {
    g_autofree int64_t *wide = NULL;

    if (!am_weights_check (w, "material", &t, error, 1, V))
      return FALSE;
    wide = am_tensor_to_i64 (t);
    g_free (head->materials);
    head->materials = g_new (uint8_t, V);
    for (size_t v = 0; v < V; v++)
      head->materials[v] =
          wide[v] >= 0 && wide[v] < AM_N_MATERIALS ? (uint8_t) wide[v] : AM_MATERIAL_SKIN;
  }
  head->info.has_colors = head->colors != NULL;
  return read_groom (head, w, error);
}

static gboolean
read_regions (AmHead *head, GError **error)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new ();

  head->regions = g_ptr_array_new_with_free_func (g_free);
  head->region_sizes = g_array_new (FALSE, FALSE, sizeof (size_t));
  for (size_t i = 0; i < am_weights_count (head->weights); i++) {
    const AmTensor *t = am_weights_nth (head->weights, i);
    uint32_t *region;

    if (!g_str_has_prefix (t->name, "region."))
      continue;
    region = read_indices (head->weights, t, head->info.vertices, error);
    if (!region)
      return FALSE;
    g_ptr_array_add (head->regions, region);
    g_array_append_val (head->region_sizes, t->n);
    g_ptr_array_add (names, (char *) t->name + strlen ("region."));
  }
  g_ptr_array_add (names, NULL);
  head->region_names = (const char **) g_ptr_array_steal (names, NULL);
  return TRUE;
}

static gboolean
read_head (AmHead *head, GError **error)
{
  const char *basis = am_weights_metadata (head->weights, "basis");

  if (!read_flame (head, error) || !am_head_read_looks (head, head->weights, error) ||
      !read_regions (head, error))
    return FALSE;
  head->channels = read_names (head, "channels");
  head->identity = read_names (head, "identity");
  if (g_strv_length (head->channels) > head->info.expressions)
    return fail (head->weights, AM_ERROR_FORMAT, "metadata channels",
        "names more channels than there are", error);
  if (g_strv_length (head->identity) > head->info.shapes)
    return fail (head->weights, AM_ERROR_FORMAT, "metadata identity",
        "names more directions than there are", error);
  head->info.basis = basis && *basis ? basis : "flame";
  head->info.channels = (const char *const *) head->channels;
  head->info.identity = (const char *const *) head->identity;
  return TRUE;
}

static void
head_free (AmHead *head)
{
  g_clear_pointer (&head->weights, am_weights_unref);
  g_clear_pointer (&head->regions, g_ptr_array_unref);
  g_clear_pointer (&head->region_sizes, g_array_unref);
  g_free (head->region_names);
  g_strfreev (head->channels);
  g_strfreev (head->identity);
  g_free (head->parents);
  g_free (head->rest);
  g_free (head->groomed);
  g_free (head->groom);
  g_free (head->faces);
  g_free (head->colors);
  g_free (head->materials);
  g_free (head->key);
  g_free (head);
}

/* Opens and reads the file at `path`: a head, or a face for the built-in one. */
static gboolean
read_file (AmHead *head, const char *path, GError **error)
{
  g_autofree char *builtin = am_data_path ("head.safetensors");
  g_autoptr (AmWeights) face = NULL;

  head->weights = am_weights_open (path, error);
  if (head->weights && am_face_is_one (head->weights)) {
    face = g_steal_pointer (&head->weights);
    head->weights = am_weights_open (builtin, error);
  }
  return head->weights && read_head (head, error) && (!face || am_head_wear (head, face, error));
}

AmHead *
am_head_open (const char *path, GError **error)
{
  g_autofree char *file = path ? am_face_path (path, error) : am_data_path ("head.safetensors");
  g_autofree char *key = file ? am_file_key (file) : NULL;
  AmHead *head;

  if (!file)
    return NULL;
  g_mutex_lock (&heads_lock);
  if (!heads)
    heads = g_hash_table_new (g_str_hash, g_str_equal);
  head = g_hash_table_lookup (heads, key);
  if (head) {
    head->refs++;
    g_mutex_unlock (&heads_lock);
    return head;
  }
  head = g_new0 (AmHead, 1);
  head->refs = 1;
  if (!read_file (head, file, error)) {
    head_free (head);
    head = NULL;
  } else {
    head->key = g_steal_pointer (&key);
    g_hash_table_insert (heads, head->key, head);
  }
  g_mutex_unlock (&heads_lock);
  return head;
}

AmHead *
am_head_ref (AmHead *head)
{
  g_mutex_lock (&heads_lock);
  head->refs++;
  g_mutex_unlock (&heads_lock);
  return head;
}

void
am_head_unref (AmHead *head)
{
  gboolean last;

  if (!head)
    return;
  g_mutex_lock (&heads_lock);
  last = --head->refs == 0;
  if (last)
    g_hash_table_remove (heads, head->key);
  g_mutex_unlock (&heads_lock);
  if (last)
    head_free (head);
}

const AmHeadInfo *
am_head_info (const AmHead *head)
{
  return &head->info;
}

const uint32_t *
am_head_faces (const AmHead *head)
{
  return head->faces;
}

const float *
am_head_colors (const AmHead *head)
{
  return head->colors;
}

const uint8_t *
am_head_materials (const AmHead *head)
{
  return head->materials;
}

const uint32_t *
am_head_region (const AmHead *head, const char *region, size_t *n)
{
  for (size_t i = 0; head->region_names[i]; i++)
    if (strcmp (head->region_names[i], region) == 0) {
      *n = g_array_index (head->region_sizes, size_t, i);
      return g_ptr_array_index (head->regions, i);
    }
  *n = 0;
  return NULL;
}

const char *const *
am_head_region_names (const AmHead *head)
{
  return (const char *const *) head->region_names;
}
