/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading safetensors: 8 bytes header length, a JSON header, the data.
 *
 * The header has its own small parser: a general one would accept a key twice (and keep the last),
 * which the format forbids, and would follow nesting as deep as a hostile file likes. */
#include "weights_priv.h"

#include <string.h>

#define MAX_HEADER ((guint64) 100 * 1000 * 1000) /* the format's own limit */

typedef struct
{
  AmTensor tensor; /* name: in AmWeights.names */
  guint64 begin, end;
} Entry;

typedef struct
{
  AmWeights *w;
  const char *start, *p, *end;
  GString *text; /* the string read last */
  GError **error;
} Parser;

static gboolean
wrong (Parser *s, const char *what)
{
  return am_weights_fail (s->w, s->error, AM_ERROR_FORMAT,
      "safetensors header, byte %" G_GSIZE_FORMAT ": %s", (gsize) (s->p - s->start), what);
}

static void
skip_space (Parser *s)
{
  while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
    s->p++;
}

/* accept: skips space and then @c, if it comes next */
static gboolean
accept (Parser *s, char c)
{
  skip_space (s);
  if (s->p == s->end || *s->p != c)
    return FALSE;
  s->p++;
  return TRUE;
}

static gboolean
expect (Parser *s, char c)
{
  char what[] = "expected '?'";

  what[10] = c;
  return accept (s, c) || wrong (s, what);
}

static gboolean
parse_hex4 (Parser *s, gunichar *out)
{
  gunichar c = 0;

  if (s->end - s->p < 4)
    return wrong (s, "\\u is cut off");
  for (int i = 0; i < 4; i++) {
    int digit = g_ascii_xdigit_value (*s->p);
    if (digit < 0)
      return wrong (s, "\\u without four hexadecimal digits");
    c = c << 4 | (gunichar) digit;
    s->p++;
  }
  *out = c;
  return TRUE;
}

static gboolean
parse_escape (Parser *s)
{
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  const char *at;
  gunichar c, low;

  if (s->p == s->end)
    return wrong (s, "the string has no end");
  if (*s->p == 'u') {
    s->p++;
    if (!parse_hex4 (s, &c))
      return FALSE;
    if (c >= 0xd800 && c < 0xdc00) {
      if (s->end - s->p < 2 || s->p[0] != '\\' || s->p[1] != 'u')
        return wrong (s, "half a surrogate pair");
      s->p += 2;
      if (!parse_hex4 (s, &low))
        return FALSE;
      if (low < 0xdc00 || low > 0xdfff)
        return wrong (s, "half a surrogate pair");
      c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    } else if (c >= 0xdc00 && c <= 0xdfff) {
      return wrong (s, "half a surrogate pair");
    }
    if (c == 0)
      return wrong (s, "a zero byte in a string");
    g_string_append_unichar (s->text, c);
    return TRUE;
  }
  at = memchr (from, *s->p, sizeof from - 1);
  if (at == NULL)
    return wrong (s, "unknown escape");
  g_string_append_c (s->text, to[at - from]);
  s->p++;
  return TRUE;
}

/* parse_string: into s->text */
static gboolean
parse_string (Parser *s)
{
  g_string_truncate (s->text, 0);
  if (!expect (s, '"'))
    return FALSE;
  for (;;) {
    const char *run = s->p;

    while (s->p < s->end && *s->p != '"' && *s->p != '\\' && (guchar) *s->p >= 0x20)
      s->p++;
    g_string_append_len (s->text, run, s->p - run);
    if (s->p == s->end)
      return wrong (s, "the string has no end");
    if (*s->p == '"') {
      s->p++;
      return TRUE;
    }
    if (*s->p != '\\')
      return wrong (s, "a control character in a string");
    s->p++;
    if (!parse_escape (s))
      return FALSE;
  }
}

static gboolean
parse_number (Parser *s, guint64 *out)
{
  guint64 n = 0;
  const char *first;

  skip_space (s);
  first = s->p;
  while (s->p < s->end && g_ascii_isdigit (*s->p)) {
    if (!g_uint64_checked_mul (&n, n, 10) || !g_uint64_checked_add (&n, n, (guint64) (*s->p - '0')))
      return wrong (s, "the number does not fit in 64 bits");
    s->p++;
  }
  if (s->p == first)
    return wrong (s, "expected a whole number, not negative");
  if (*first == '0' && s->p - first > 1)
    return wrong (s, "the number starts with 0");
  *out = n;
  return TRUE;
}

/* parse_numbers: [1,2,3]; at most @max of them */
static gboolean
parse_numbers (Parser *s, guint64 *out, unsigned max, unsigned *n, const char *too_many)
{
  *n = 0;
  if (!expect (s, '['))
    return FALSE;
  if (accept (s, ']'))
    return TRUE;
  do {
    if (*n == max)
      return wrong (s, too_many);
    if (!parse_number (s, &out[*n]))
      return FALSE;
    ++*n;
  } while (accept (s, ','));
  return expect (s, ']');
}

static gboolean
parse_dtype (Parser *s, AmTensor *t)
{
  if (!parse_string (s))
    return FALSE;
  if (!am_dtype_from_name (s->text->str, &t->dtype)) {
    g_autofree char *text = am_text_for_message (s->text->str, s->text->len);
    g_autofree char *name = am_text_for_message (t->name, strlen (t->name));
    return am_weights_fail (
        s->w, s->error, AM_ERROR_FORMAT, "tensor %s has the unknown dtype %s", name, text);
  }
  return TRUE;
}

/* parse_entry: {"dtype":"F32","shape":[2,3],"data_offsets":[0,24]} in any order */
static gboolean
parse_entry (Parser *s, Entry *e)
{
  AmTensor *t = &e->tensor;
  gboolean dtype = FALSE, shape = FALSE, offsets = FALSE;
  guint64 numbers[AM_MAX_DIMS];
  unsigned n;

  if (!expect (s, '{'))
    return FALSE;
  do {
    if (!parse_string (s) || !expect (s, ':'))
      return FALSE;
    if (!dtype && strcmp (s->text->str, "dtype") == 0) {
      dtype = TRUE;
      if (!parse_dtype (s, t))
        return FALSE;
    } else if (!shape && strcmp (s->text->str, "shape") == 0) {
      shape = TRUE;
      if (!parse_numbers (s, numbers, AM_MAX_DIMS, &t->n_dims, "more than 8 dimensions"))
        return FALSE;
      for (unsigned i = 0; i < t->n_dims; i++)
        t->shape[i] = numbers[i];
    } else if (!offsets && strcmp (s->text->str, "data_offsets") == 0) {
      offsets = TRUE;
      if (!parse_numbers (s, numbers, 2, &n, "more than two data_offsets"))
        return FALSE;
      if (n != 2)
        return wrong (s, "data_offsets needs two numbers");
      e->begin = numbers[0];
      e->end = numbers[1];
    } else {
      return wrong (s, "a key that is unknown or there twice");
    }
  } while (accept (s, ','));
  if (!expect (s, '}'))
    return FALSE;
  if (!dtype || !shape || !offsets)
    return wrong (s, "dtype, shape or data_offsets is missing");
  return TRUE;
}

static gboolean
parse_metadata (Parser *s)
{
  if (!expect (s, '{'))
    return FALSE;
  if (accept (s, '}'))
    return TRUE;
  do {
    char *key;

    if (!parse_string (s))
      return FALSE;
    key = g_string_chunk_insert_len (s->w->names, s->text->str, (gssize) s->text->len);
    if (g_tree_lookup (s->w->metadata, key))
      return wrong (s, "a key of __metadata__ is there twice");
    if (!expect (s, ':') || !parse_string (s))
      return FALSE;
    g_tree_insert (s->w->metadata, key,
        g_string_chunk_insert_len (s->w->names, s->text->str, (gssize) s->text->len));
  } while (accept (s, ','));
  return expect (s, '}');
}

static gboolean
parse_header (Parser *s, GArray *entries)
{
  gboolean metadata = FALSE;

  if (!expect (s, '{'))
    return FALSE;
  if (!accept (s, '}')) {
    do {
      if (!parse_string (s) || !expect (s, ':'))
        return FALSE;
      if (strcmp (s->text->str, "__metadata__") == 0) {
        if (metadata)
          return wrong (s, "__metadata__ is there twice");
        metadata = TRUE;
        if (!parse_metadata (s))
          return FALSE;
      } else {
        Entry e = { 0 };

        e.tensor.name =
            g_string_chunk_insert_len (s->w->names, s->text->str, (gssize) s->text->len);
        if (!parse_entry (s, &e))
          return FALSE;
        g_array_append_val (entries, e);
      }
    } while (accept (s, ','));
    if (!expect (s, '}'))
      return FALSE;
  }
  skip_space (s);
  return s->p == s->end || wrong (s, "something follows the header's last bracket");
}

static gint
compare_entries (gconstpointer a, gconstpointer b)
{
  const Entry *x = a, *y = b;

  if (x->begin != y->begin)
    return x->begin < y->begin ? -1 : 1;
  return x->end < y->end ? -1 : x->end > y->end;
}

/* place_entries: the tensors must fill the data from end to end, without gap or overlap */
static gboolean
place_entries (AmWeights *w, GArray *entries, const guint8 *data, guint64 size, GError **error)
{
  guint64 at = 0;

  g_array_sort (entries, compare_entries);
  for (guint i = 0; i < entries->len; i++) {
    Entry *e = &g_array_index (entries, Entry, i);
    AmTensor *t = &e->tensor;
    g_autofree char *name = am_text_for_message (t->name, strlen (t->name));

    if (!am_tensor_finish (t))
      return am_weights_fail (
          w, error, AM_ERROR_FORMAT, "tensor %s: its sizes multiply beyond 63 bits", name);
    if (e->end < e->begin || e->end > size)
      return am_weights_fail (w, error, AM_ERROR_FORMAT,
          "tensor %s lies at %" G_GUINT64_FORMAT "..%" G_GUINT64_FORMAT
          ", but the file has %" G_GUINT64_FORMAT " bytes of data",
          name, e->begin, e->end, size);
    if (e->end - e->begin != t->bytes) {
      g_autofree char *shape = am_tensor_shape_string (t);
      return am_weights_fail (w, error, AM_ERROR_FORMAT,
          "tensor %s is %s, %" G_GSIZE_FORMAT " bytes, but has %" G_GUINT64_FORMAT, name, shape,
          t->bytes, e->end - e->begin);
    }
    if (e->begin != at)
      return am_weights_fail (w, error, AM_ERROR_FORMAT,
          "tensor %s starts at byte %" G_GUINT64_FORMAT
          " of the data instead of %" G_GUINT64_FORMAT,
          name, e->begin, at);
    t->data = data + e->begin;
    at = e->end;
    if (!am_weights_add (w, t, error))
      return FALSE;
  }
  if (at != size)
    return am_weights_fail (w, error, AM_ERROR_FORMAT,
        "%" G_GUINT64_FORMAT " bytes at the end belong to no tensor", size - at);
  return TRUE;
}

gboolean
am_safetensors_read (AmWeights *w, GError **error)
{
  g_autoptr (GArray) entries = g_array_new (FALSE, FALSE, sizeof (Entry));
  g_autoptr (GString) text = g_string_new (NULL);
  Parser s = { .w = w, .text = text, .error = error };
  guint64 header;

  memcpy (&header, w->base, sizeof header);
  if (header > MAX_HEADER)
    return am_weights_fail (w, error, AM_ERROR_FORMAT,
        "the safetensors header claims %" G_GUINT64_FORMAT " bytes, more than 100 MB", header);
  if (header > w->size - 8)
    return am_weights_fail (w, error, AM_ERROR_FORMAT,
        "cut off: the safetensors header claims %" G_GUINT64_FORMAT
        " bytes, the file has %" G_GSIZE_FORMAT,
        header, w->size);
  s.start = s.p = (const char *) w->base + 8;
  s.end = s.start + header;
  if (!g_utf8_validate (s.start, (gssize) header, NULL))
    return am_weights_fail (w, error, AM_ERROR_FORMAT, "the safetensors header is not UTF-8 text");
  return parse_header (&s, entries) &&
         place_entries (w, entries, w->base + 8 + header, w->size - 8 - header, error);
}
