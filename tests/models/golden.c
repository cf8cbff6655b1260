/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* golden-check [--device=NAME] [--threads=N] [--verbose] [--times] [--weights CASE=PATH]… [--only CASE]… FOLDER */
#include "golden.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

gboolean
golden_begin (Golden *g, GoldenCase *c, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  *c = (GoldenCase){ .golden = g, .name = g_strdup_vprintf (format, args) };
  va_end (args);
  if (!g->only || g_strv_contains ((const char *const *) g->only, c->name))
    return TRUE;
  g_clear_pointer (&c->name, g_free);
  return FALSE;
}

static void
done (GoldenCase *c)
{
  fflush (stdout);
  g_clear_pointer (&c->name, g_free);
  g_clear_pointer (&c->worst_name, g_free);
}

void
golden_end (GoldenCase *c)
{
  if (c->wrong) {
    printf ("%s: FAILED: %u of %u tensors\n", c->name, c->wrong, c->compared);
    c->golden->failed++;
  } else {
    printf ("%s: ok, %u tensors, at most %.0f %% of a tolerance (%s)\n", c->name, c->compared,
        100 * c->worst, c->worst_name ? c->worst_name : "-");
    c->golden->passed++;
  }
  done (c);
}

void
golden_skip (GoldenCase *c, const char *format, ...)
{
  g_autofree char *why = NULL;
  va_list args;

  va_start (args, format);
  why = g_strdup_vprintf (format, args);
  va_end (args);
  printf ("%s: SKIPPED: %s\n", c->name, why);
  c->golden->skipped++;
  done (c);
}

void
golden_fail (GoldenCase *c, const char *format, ...)
{
  g_autofree char *why = NULL;
  va_list args;

  va_start (args, format);
  why = g_strdup_vprintf (format, args);
  va_end (args);
  printf ("%s: FAILED: %s\n", c->name, why);
  c->golden->failed++;
  done (c);
}

double
golden_largest (const float *got, const float *want, size_t n)
{
  double worst = 0;

  for (size_t i = 0; i < n; i++) {
    double d = fabs ((double) got[i] - want[i]);

    if (!(d <= worst))
      worst = d;
    if (isnan (d))
      break;
  }
  return worst;
}

void
golden_compare (
    GoldenCase *c, const char *name, const float *got, const float *want, size_t n, double tol)
{
  double square = 0, worst = 0, distance;
  gboolean nan = FALSE;

  for (size_t i = 0; i < n; i++) {
    double d = fabs ((double) got[i] - want[i]);

    square += (double) want[i] * want[i];
    nan |= !(d <= G_MAXFLOAT);
    worst = d > worst ? d : worst;
  }
  square = sqrt (square / (double) MAX (n, 1));
  distance = nan ? NAN : square > 0 ? worst / square : worst;
  golden_compare_error (c, name, distance, tol);
}

void
golden_compare_error (GoldenCase *c, const char *name, double error, double tol)
{
  c->compared++;
  if (!(error <= tol)) {
    if (c->wrong++ < 20)
      printf ("%s: %s: distance %.3g, allowed %.3g\n", c->name, name, error, tol);
  } else if (tol > 0 && error / tol > c->worst) {
    c->worst = error / tol;
    g_free (c->worst_name);
    c->worst_name = g_strdup (name);
  }
  if (c->golden->verbose)
    printf ("  %s %.3g of %.3g\n", name, error, tol);
}

const AmTensor *
golden_find (GoldenCase *c, const AmWeights *io, const char *name, size_t n)
{
  const AmTensor *t = am_weights_find (io, name);

  if (t && t->n == n)
    return t;
  printf ("%s: %s: %zu values instead of %zu\n", c->name, name, n, t ? t->n : 0);
  c->compared++;
  c->wrong++;
  return NULL;
}

void
golden_compare_tensor (
    GoldenCase *c, const AmWeights *io, const char *name, const float *got, size_t n, double tol)
{
  const AmTensor *t = golden_find (c, io, name, n);
  g_autofree float *want = t ? am_tensor_to_f32 (t) : NULL;

  if (want)
    golden_compare (c, name, got, want, n, tol);
}

AmWeights *
golden_open_io (GoldenCase *c, const char *path)
{
  g_autoptr (GError) error = NULL;
  AmWeights *io = am_weights_open (path, &error);

  if (!io)
    golden_fail (c, "%s", error->message);
  return io;
}

void *
golden_fetch (AkQueue *queue, const void *from, size_t n)
{
  void *to = g_malloc (4 * MAX (n, 1));

  ak_download (queue, to, from, 4 * n);
  ak_queue_sync (queue);
  return to;
}

void
golden_cases (Golden *g, const char *dir, const char *kind, GoldenRun *run)
{
  g_autofree char *path = g_build_filename (dir, "cases.json", NULL);
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GList) names = NULL;
  JsonObject *cases;

  if (!json_parser_load_from_file (parser, path, NULL) ||
      !JSON_NODE_HOLDS_OBJECT (json_parser_get_root (parser)))
    return;
  cases = json_node_get_object (json_parser_get_root (parser));
  names = g_list_sort (json_object_get_members (cases), (GCompareFunc) strcmp);
  for (GList *n = names; n; n = n->next) {
    const char *name = n->data;
    g_autofree char *io_path = g_strdup_printf ("%s/%s.safetensors", dir, name);
    g_autoptr (AmWeights) io = NULL;
    GoldenCase c;

    if (!JSON_NODE_HOLDS_OBJECT (json_object_get_member (cases, name)) ||
        !golden_begin (g, &c, "avatar/%s/%s", kind, name))
      continue;
    io = golden_open_io (&c, io_path);
    if (io)
      run (&c, io, json_object_get_object_member (cases, name));
  }
}

int
main (int argc, char **argv)
{
  g_autofree char *device = NULL;
  g_auto (GStrv) weights = NULL, only = NULL, rest = NULL;
  int threads = 0;
  gboolean verbose = FALSE, times = FALSE, large = FALSE;
  g_autofree char *make = NULL;
  const GOptionEntry entries[] = {
    { "device", 'd', 0, G_OPTION_ARG_STRING, &device, "device to compute on", "NAME" },
    { "threads", 't', 0, G_OPTION_ARG_INT, &threads, "threads, 0 for all", "N" },
    { "verbose", 'v', 0, G_OPTION_ARG_NONE, &verbose, "a line per tensor", NULL },
    { "times", 0, 0, G_OPTION_ARG_NONE, &times, "print how long windows take", NULL },
    { "weights", 'w', 0, G_OPTION_ARG_STRING_ARRAY, &weights,
        "weights of a case that does not hold them", "CASE=PATH" },
    { "large", 0, 0, G_OPTION_ARG_NONE, &large, "make the weights of large cases, some GB each",
        NULL },
    { "make", 0, 0, G_OPTION_ARG_STRING, &make, "write io.safetensors of motion/NAME instead",
        "NAME" },
    { "only", 'o', 0, G_OPTION_ARG_STRING_ARRAY, &only, "check only this case", "CASE" },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &rest, NULL, NULL },
    { NULL },
  };
  g_autoptr (GOptionContext) context =
      g_option_context_new ("FOLDER - check networks against golden data");
  g_autoptr (GError) error = NULL;
  g_autoptr (GHashTable) table = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  Golden g = { .weights = table };
  AkDevice *dev;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || !rest || rest[1]) {
    fprintf (stderr, "golden-check: %s\n", error ? error->message : "one folder is needed");
    return 2;
  }
  for (unsigned i = 0; weights && weights[i]; i++) {
    char *path = strchr (weights[i], '=');

    if (!path) {
      fprintf (stderr, "golden-check: --weights %s: not CASE=PATH\n", weights[i]);
      return 2;
    }
    g_hash_table_insert (
        table, g_strndup (weights[i], (gsize) (path - weights[i])), g_strdup (path + 1));
  }
  if (!g_file_test (rest[0], G_FILE_TEST_IS_DIR)) {
    printf ("SKIPPED: %s is not there\n", rest[0]);
    return 77;
  }
  g.folder = rest[0];
  g.device = device ? device : "cpu";
  g.threads = (unsigned) MAX (threads, 0);
  g.verbose = verbose;
  g.times = times;
  g.large = large;
  g.only = only;
  if (make) {
    if (golden_make (&g, make, &error))
      return 0;
    fprintf (stderr, "golden-check: %s\n", error->message);
    return 1;
  }
  dev = ak_device_open (g.device, g.threads, NULL);
  if (!dev) {
    printf ("SKIPPED: no device %s: %s\n", g.device, ak_device_problem ());
    return 77;
  }
  golden_ops (&g);
  golden_motion (&g);
  golden_avatar (&g);
  golden_styleunet (&g);
  ak_device_unref (dev);
  printf ("%u passed, %u failed, %u skipped\n", g.passed, g.failed, g.skipped);
  if (g.failed)
    return 1;
  return g.passed ? 0 : 77;
}
