/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gagsplat with the built-in avatar: negotiation, formats, refusals. With the golden data's tiny avatar, where they
 * are there: pictures, people, the cache, cancelling. */
#include <gdk-pixbuf/gdk-pixbuf.h>
#include <glib/gstdio.h>
#include <gst/video/video.h>
#include <string.h>

#include "testavatar.h"
#include "testmotion.h"

#define MOTION_CAPS "motion/x-flame,format=F32LE,expression=100,pose=6,basis=%s,framerate=25/1"
#define BASIS "arkit-1"
#define LIMIT_MS 50.0

static GstBuffer *
frame (guint i, float jaw)
{
  float numbers[TEST_MOTION] = { 0 };

  numbers[TEST_JAW] = jaw;
  return test_motion_buffer (i, numbers);
}

static void
set_motion (GstHarness *h, const char *basis)
{
  g_autofree char *caps = g_strdup_printf (MOTION_CAPS, basis);

  gst_harness_set_src_caps_str (h, caps);
}

static GstHarness *
start (const char *wanted)
{
  GstHarness *h = test_harness ("gagsplat", NULL);

  if (wanted)
    gst_harness_set_sink_caps_str (h, wanted);
  set_motion (h, BASIS);
  return h;
}

static void
get_info (GstHarness *h, GstVideoInfo *info)
{
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (h->sinkpad);

  fail_unless (gst_video_info_from_caps (info, caps));
}

/* A frame after downstream has changed its mind. (transfer full) */
static GstBuffer *
picture (GstHarness *h, const char *wanted, GstVideoInfo *info)
{
  GstBuffer *b;

  gst_harness_set_sink_caps_str (h, wanted);
  gst_harness_push_upstream_event (h, gst_event_new_reconfigure ());
  b = gst_harness_push_and_pull (h, frame (3, 0.2));
  fail_unless (b != NULL);
  get_info (h, info);
  fail_unless_equals_uint64 (gst_buffer_get_size (b), GST_VIDEO_INFO_SIZE (info));
  return b;
}

GST_START_TEST (test_defaults)
{
  GstHarness *h = start (NULL);
  GstVideoInfo info;
  GstBuffer *b = gst_harness_push_and_pull (h, frame (3, 0.1));

  get_info (h, &info);
  fail_unless_equals_int (GST_VIDEO_INFO_FORMAT (&info), GST_VIDEO_FORMAT_I420);
  fail_unless_equals_int (info.width, 512);
  fail_unless_equals_int (info.height, 512);
  fail_unless_equals_int (info.fps_n, 25);
  fail_unless_equals_int (info.par_n, 1);
  fail_unless (gst_video_colorimetry_matches (&info.colorimetry, GST_VIDEO_COLORIMETRY_BT601));
  fail_unless_equals_uint64 (GST_BUFFER_PTS (b), 3 * TEST_FRAME);
  fail_unless_equals_uint64 (GST_BUFFER_DURATION (b), TEST_FRAME);
  fail_unless_equals_uint64 (GST_BUFFER_OFFSET (b), 3);
  gst_buffer_unref (b);
  test_end (h);
}
GST_END_TEST

/* Mean difference of two pictures as RGB. */
static double
difference (GstBuffer *a, const GstVideoInfo *rgb, GstBuffer *b, const GstVideoInfo *info)
{
  g_autoptr (GstCaps) from = gst_video_info_to_caps (info), to = gst_video_info_to_caps (rgb);
  g_autoptr (GstSample) in = gst_sample_new (b, from, NULL, NULL), out = NULL;
  GstVideoFrame f, g;
  double sum = 0;

  out = gst_video_convert_sample (in, to, 10 * GST_SECOND, NULL);
  fail_unless (out != NULL);
  fail_unless (gst_video_frame_map (&f, rgb, a, GST_MAP_READ));
  fail_unless (gst_video_frame_map (&g, rgb, gst_sample_get_buffer (out), GST_MAP_READ));
  for (int y = 0; y < rgb->height; y++)
    for (int x = 0; x < 3 * rgb->width; x++)
      sum += abs (((guint8 *) f.data[0])[y * f.info.stride[0] + x] -
                  ((guint8 *) g.data[0])[y * g.info.stride[0] + x]);
  gst_video_frame_unmap (&f);
  gst_video_frame_unmap (&g);
  return sum / (3.0 * rgb->width * rgb->height);
}

/* All formats show the same picture; alpha only where nothing else will do. */
GST_START_TEST (test_formats)
{
  static const char *const formats[] = { "I420", "NV12", "RGBx", "BGRx", "xRGB", "xBGR", "BGR",
    "RGBA", "BGRA", "ARGB", "ABGR" };
  GstHarness *h = start ("video/x-raw,format=RGB,width=96,height=96");
  GstVideoInfo rgb, info;
  GstBuffer *reference = picture (h, "video/x-raw,format=RGB,width=96,height=96", &rgb);

  for (guint i = 0; i < G_N_ELEMENTS (formats); i++) {
    g_autofree char *wanted =
        g_strdup_printf ("video/x-raw,format=%s,width=96,height=96", formats[i]);
    GstBuffer *b = picture (h, wanted, &info);
    double d;

    fail_unless_equals_string (
        gst_video_format_to_string (GST_VIDEO_INFO_FORMAT (&info)), formats[i]);
    if (!GST_VIDEO_INFO_HAS_ALPHA (&info)) {
      d = difference (reference, &rgb, b, &info);
      fail_unless (
          d < (GST_VIDEO_INFO_IS_YUV (&info) ? 3 : 0.01), "%s differs by %g", formats[i], d);
    }
    gst_buffer_unref (b);
  }
  gst_buffer_unref (picture (h, "video/x-raw,format={RGBA,NV12,I420},width=96,height=96", &info));
  fail_unless_equals_int (GST_VIDEO_INFO_FORMAT (&info), GST_VIDEO_FORMAT_I420);
  gst_buffer_unref (picture (h, "video/x-raw,format={RGBA,BGRx},width=96,height=96", &info));
  fail_unless_equals_int (GST_VIDEO_INFO_FORMAT (&info), GST_VIDEO_FORMAT_BGRx);
  gst_buffer_unref (reference);
  test_end (h);
}
GST_END_TEST

GST_START_TEST (test_sizes)
{
  static const struct
  {
    const char *wanted;
    int width, height;
  } cases[] = {
    { "video/x-raw,format=I420,width=1,height=1", 1, 1 },
    { "video/x-raw,format=NV12,width=33,height=17", 33, 17 },
    { "video/x-raw,width=[600,1000],height=[600,1000]", 600, 600 },
    { "video/x-raw,format=RGB,width=101,height=197", 101, 197 },
  };
  GstHarness *h = start ("video/x-raw,width=64,height=64");

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    GstVideoInfo info;

    gst_buffer_unref (picture (h, cases[i].wanted, &info));
    fail_unless_equals_int (info.width, cases[i].width);
    fail_unless_equals_int (info.height, cases[i].height);
  }
  test_end (h);
}
GST_END_TEST

static void
pixel (GstBuffer *b, guint x, guint y, guint width, guint8 to[4])
{
  fail_unless_equals_int (gst_buffer_extract (b, 4 * (y * width + x), to, 4), 4);
}

/* Alpha is 0 around the head and 255 in it; where there is none, the background shows: black at first, another
 * colour from the next frame on. */
GST_START_TEST (test_background)
{
  GstHarness *h = start ("video/x-raw,format=RGBA,width=128,height=128");
  GstVideoInfo info;
  GstBuffer *b = picture (h, "video/x-raw,format=RGBA,width=128,height=128", &info);
  guint8 p[4];

  pixel (b, 1, 1, 128, p);
  fail_unless_equals_int (p[3], 0);
  pixel (b, 64, 64, 128, p);
  fail_unless_equals_int (p[3], 255);
  gst_buffer_unref (b);

  b = picture (h, "video/x-raw,format=RGBx,width=128,height=128", &info);
  pixel (b, 1, 1, 128, p);
  fail_unless (p[0] == 0 && p[1] == 0 && p[2] == 0, "not black: %d %d %d", p[0], p[1], p[2]);
  gst_buffer_unref (b);
  g_object_set (h->element, "background", 0xff102030, NULL);
  b = gst_harness_push_and_pull (h, frame (4, 0));
  pixel (b, 1, 1, 128, p);
  fail_unless (p[0] == 0x10 && p[1] == 0x20 && p[2] == 0x30);
  gst_buffer_unref (b);
  test_end (h);
}
GST_END_TEST

GST_START_TEST (test_bad_motion)
{
  GstHarness *h = start ("video/x-raw,width=64,height=64");

  test_nonsense (h);
  test_end (h);
}
GST_END_TEST

GST_START_TEST (test_other_basis)
{
  GstHarness *h = test_harness ("gagsplat", NULL);
  g_autofree char *error = NULL, *more = NULL;

  set_motion (h, "flame");
  fail_unless_equals_int (gst_harness_push (h, frame (0, 0)), GST_FLOW_NOT_NEGOTIATED);
  error = test_message (h->element, GST_MESSAGE_ERROR);
  fail_unless (
      error && strstr (error, BASIS) && strstr (error, "flame") && strstr (error, "head="));
  more = test_message (h->element, GST_MESSAGE_ERROR);
  fail_unless (more == NULL, "again: %s", more);
  test_end (h);
}
GST_END_TEST

/* The first half of the built-in avatar's file. (transfer full) */
static char *
half_a_model (void)
{
  g_autofree char *whole =
      g_build_filename (g_getenv ("ARTALK_DATA_DIR"), "avatar.safetensors", NULL);
  g_autofree char *contents = NULL;
  char *path = test_path ("half.safetensors");
  gsize size;

  fail_unless (g_file_get_contents (whole, &contents, &size, NULL));
  fail_unless (g_file_set_contents (path, contents, (gssize) size / 2, NULL));
  return path;
}

GST_START_TEST (test_bad_settings)
{
  GstElement *e = gst_object_ref_sink (gst_element_factory_make ("gagsplat", NULL));
  g_autofree char *text = test_path ("text.pt"), *half = half_a_model ();
  const char *const cases[][3] = {
    { "model", "/nonexistent/GAGAvatar.pt", "/nonexistent/GAGAvatar" }, { "model", text, text },
    { "model", half, half }, { "head", "/nonexistent/h.pt", "/nonexistent/h" },
    { "avatar", "anna", "anna" }, { "avatars", "/nonexistent/tracked.pt", "GAGAvatar.pt" },
    { "watermark", "/nonexistent/mark.png", "mark.png" }, { "watermark", text, text }
  };

  fail_unless (g_file_set_contents (text, "this is no model", -1, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_object_set (e, cases[i][0], cases[i][1], NULL);
    test_fails_to_start (e, cases[i][2]);
    g_object_set (e, cases[i][0], NULL, NULL);
  }
  fail_unless_equals_int (gst_element_set_state (e, GST_STATE_PAUSED), GST_STATE_CHANGE_SUCCESS);
  gst_element_set_state (e, GST_STATE_NULL);
  gst_object_unref (e);
}
GST_END_TEST

/* A name where there are no people: said at once, and the avatar goes on. */
GST_START_TEST (test_no_people)
{
  GstHarness *h = start ("video/x-raw,format=RGB,width=64,height=64");
  g_autofree char *warning = NULL;

  gst_buffer_unref (gst_harness_push_and_pull (h, frame (0, 0)));
  g_object_set (h->element, "avatar", "anna", NULL);
  warning = test_message (h->element, GST_MESSAGE_WARNING);
  fail_unless (warning && strstr (warning, "anna"));
  gst_buffer_unref (gst_harness_push_and_pull (h, frame (1, 0)));
  test_end (h);
}
GST_END_TEST

typedef struct
{
  GstHarness *h;
  GstBuffer *buffer;
  GstFlowReturn flow;
  gint64 ended; /* monotonic microseconds */
} Job;

static gpointer
push (gpointer data)
{
  Job *job = data;

  job->flow = gst_harness_push (job->h, job->buffer);
  job->ended = g_get_monotonic_time ();
  return NULL;
}

/* Interrupts `job`'s work and returns after how many ms it came back. (What is freed then takes its time.) */
static double
interrupt (Job *job, GThread *thread, gboolean stop)
{
  gint64 begun = g_get_monotonic_time ();
  double took;

  if (stop)
    gst_element_set_state (job->h->element, GST_STATE_READY);
  else
    gst_harness_push_event (job->h, gst_event_new_flush_start ());
  g_thread_join (thread);
  took = (job->ended - begun) / 1000.0;
  if (stop)
    gst_element_set_state (job->h->element, GST_STATE_NULL);
  else
    gst_harness_push_event (job->h, gst_event_new_flush_stop (TRUE));
  return took;
}

/* In the middle of a frame. The best of several counts; on a machine so busy that a frame takes long (alone it takes
 * less than 200 ms), it may take a quarter of that. */
GST_START_TEST (test_cancel)
{
  for (guint stop = 0; stop < 2; stop++) {
    double best = G_MAXDOUBLE, limit = LIMIT_MS;
    gint64 whole;

    for (guint i = 0; i < 8 && best >= limit; i++) {
      GstHarness *h = start ("video/x-raw,width=512,height=512");
      Job job = { .h = h };
      GThread *thread;
      double took;

      gst_buffer_unref (gst_harness_push_and_pull (h, frame (0, 0)));
      whole = g_get_monotonic_time ();
      gst_buffer_unref (gst_harness_push_and_pull (h, frame (1, 0)));
      whole = g_get_monotonic_time () - whole;
      job.buffer = frame (2, 0);
      thread = g_thread_new ("push", push, &job);
      g_usleep (whole / 4);
      took = interrupt (&job, thread, stop);
      if (job.flow == GST_FLOW_FLUSHING && gst_harness_buffers_received (h) == 2)
        best = MIN (best, took); /* else it was not in the middle */
      limit = MAX (LIMIT_MS, whole / 4000.0);
      test_end (h);
    }
    g_print ("%s after %.1f ms\n", stop ? "stop" : "flush", best);
    fail_unless (best < limit, "takes %.1f ms", best);
  }
}
GST_END_TEST

static GstHarness *
tiny_harness (const TestAvatar *t, const char *avatar)
{
  GstHarness *h = test_harness ("gagsplat", NULL);

  gst_element_set_state (h->element, GST_STATE_NULL); /* to be loaded with these: */
  g_object_set (h->element, "model", t->model, "head", t->head, "avatars", t->people, "avatar",
      avatar, "watermark", t->mark, NULL);
  {
    g_autoptr (GstBus) bus = gst_element_get_bus (h->element);

    gst_bus_set_flushing (bus, TRUE);
    gst_bus_set_flushing (bus, FALSE);
  }
  gst_harness_play (h);
  gst_harness_set_sink_caps_str (h, "video/x-raw,format=RGB,width=64,height=64");
  set_motion (h, "flame");
  return h;
}

/* Waits for a progress message with this text; FALSE once one with `other` comes first. */
static gboolean
wait_for (GstHarness *h, const char *text, const char *other)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (h->element);

  for (;;) {
    g_autoptr (GstMessage) m =
        gst_bus_timed_pop_filtered (bus, 60 * GST_SECOND, GST_MESSAGE_PROGRESS);
    g_autofree char *got = NULL;

    fail_unless (m != NULL, "nothing says \"%s\"", text);
    gst_message_parse_progress (m, NULL, NULL, &got);
    if (strstr (got, text))
      return TRUE;
    if (other && strstr (got, other))
      return FALSE;
  }
}

/* Rows of RGB are padded to four bytes in neither: 64 pixels. */
static void
check_png (const TestAvatar *t, GstBuffer *b, const char *name)
{
  g_autofree char *path = g_build_filename (t->dir, name, NULL);
  g_autoptr (GdkPixbuf) want = gdk_pixbuf_new_from_file (path, NULL);
  GstMapInfo map;
  int worst = 0;

  fail_unless (want != NULL && gdk_pixbuf_get_n_channels (want) == 3);
  fail_unless (gst_buffer_map (b, &map, GST_MAP_READ));
  for (int y = 0; y < 64; y++)
    for (int i = 0; i < 64 * 3; i++) {
      const guchar *row = gdk_pixbuf_read_pixels (want) + y * gdk_pixbuf_get_rowstride (want);

      worst = MAX (worst, abs (row[i] - map.data[y * 64 * 3 + i]));
    }
  gst_buffer_unmap (b, &map);
  fail_unless (worst <= 1, "%s: off by %d", name, worst);
  gst_buffer_unref (b);
}

/* The published program's pictures of six frames, where the person changes after four. */
GST_START_TEST (test_golden)
{
  TestAvatar t;
  GstHarness *h;
  GstBuffer *hole;

  if (!test_avatar_open (&t))
    return;
  h = tiny_harness (&t, "one");
  check_png (&t, gst_harness_push_and_pull (h, test_motion_buffer (0, t.motion)), "frame0.png");
  for (guint i = 1; i < 4; i++)
    gst_buffer_unref (
        gst_harness_push_and_pull (h, test_motion_buffer (i, t.motion + i * TEST_MOTION)));
  g_object_set (h->element, "avatar", "two.jpg", NULL);
  wait_for (h, "two.jpg is ready", NULL);
  gst_buffer_unref (
      gst_harness_push_and_pull (h, test_motion_buffer (4, t.motion + 4 * TEST_MOTION)));
  check_png (&t, gst_harness_push_and_pull (h, test_motion_buffer (5, t.motion + 5 * TEST_MOTION)),
      "frame5.png");

  /* unknown names change nothing */
  g_object_set (h->element, "avatar", "nobody", NULL);
  {
    g_autofree char *warning = test_message (h->element, GST_MESSAGE_WARNING);

    fail_unless (warning && strstr (warning, "nobody") && strstr (warning, "one.jpg"));
  }
  test_push_flush (h);
  test_push_segment (h, 0, 0);
  /* and after a flush the forehead's average is new */
  g_object_set (h->element, "avatar", "one.jpg", NULL);
  wait_for (h, "one.jpg is ready", NULL);
  check_png (&t, gst_harness_push_and_pull (h, test_motion_buffer (0, t.motion)), "frame0.png");
  /* nor does it survive a hole */
  gst_buffer_unref (gst_harness_push_and_pull (h, test_motion_buffer (1, t.motion + TEST_MOTION)));
  hole = test_motion_buffer (9, t.motion);
  GST_BUFFER_FLAG_SET (hole, GST_BUFFER_FLAG_DISCONT);
  check_png (&t, gst_harness_push_and_pull (h, hole), "frame0.png");
  test_end (h);
  test_avatar_clear (&t);
}
GST_END_TEST

/* The only file in the cache. (transfer full) */
static char *
cached_file (void)
{
  g_autofree char *folder = g_build_filename (g_get_user_cache_dir (), "artalk", "avatars", NULL);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name = dir ? g_dir_read_name (dir) : NULL;
  char *path;

  fail_unless (name != NULL && g_str_has_suffix (name, ".safetensors"), "%s",
      name ? name : "nothing is cached");
  path = g_build_filename (folder, name, NULL);
  name = g_dir_read_name (dir);
  fail_unless (name == NULL, "also %s", name);
  return path;
}

GST_START_TEST (test_cache)
{
  TestAvatar t;
  g_autofree char *file = NULL;
  GstHarness *h;

  if (!test_avatar_open (&t))
    return;
  for (guint i = 0; i < 3; i++) {
    gboolean prepared;

    h = tiny_harness (&t, "one.jpg");
    check_png (&t, gst_harness_push_and_pull (h, test_motion_buffer (0, t.motion)), "frame0.png");
    prepared = wait_for (h, "Preparing the avatar one.jpg", "one.jpg is ready");
    fail_unless (prepared == (i != 1), "start %u", i);
    test_end (h);
    g_free (file);
    file = cached_file ();
    if (i == 1) /* then, of a damaged file, another is made */
      fail_unless (g_file_set_contents (file, "damaged", -1, NULL));
  }
  test_avatar_clear (&t);
}
GST_END_TEST

GST_START_TEST (test_bad_people)
{
  GstElement *e = gst_object_ref_sink (gst_element_factory_make ("gagsplat", NULL));
  TestAvatar t;

  if (!test_avatar_open (&t)) {
    gst_object_unref (e);
    return;
  }
  g_object_set (e, "model", t.model, NULL);
  test_fails_to_start (e, "choose head=");
  g_object_set (e, "head", t.head, NULL);
  test_fails_to_start (e, "avatars=");
  g_object_set (e, "avatars", "/nonexistent/people.pt", NULL);
  test_fails_to_start (e, "/nonexistent/people.pt");
  g_object_set (e, "avatars", t.people, "avatar", "nobody", NULL);
  test_fails_to_start (e, "nobody");
  gst_object_unref (e);
  test_avatar_clear (&t);
}
GST_END_TEST

typedef struct
{
  GMutex lock;
  GCond changed;
  gboolean waits, go;
} Gate;

/* Holds the preparation up at its first progress message. */
static GstBusSyncReply
hold_up (GstBus *bus, GstMessage *m, gpointer data)
{
  Gate *gate = data;
  g_autofree char *text = NULL;

  if (GST_MESSAGE_TYPE (m) != GST_MESSAGE_PROGRESS)
    return GST_BUS_PASS;
  gst_message_parse_progress (m, NULL, NULL, &text);
  if (!strstr (text, "Preparing"))
    return GST_BUS_PASS;
  g_mutex_lock (&gate->lock);
  gate->waits = TRUE;
  g_cond_broadcast (&gate->changed);
  while (!gate->go)
    g_cond_wait (&gate->changed, &gate->lock);
  g_mutex_unlock (&gate->lock);
  return GST_BUS_PASS;
}

static gpointer
open_gate (gpointer data)
{
  Gate *gate = data;

  g_mutex_lock (&gate->lock);
  gate->go = TRUE;
  g_cond_broadcast (&gate->changed);
  g_mutex_unlock (&gate->lock);
  return NULL;
}

static gpointer
open_gate_later (gpointer gate)
{
  g_usleep (50000);
  return open_gate (gate);
}

/* An element that prepares `two` when this returns, and is held up. */
static GstHarness *
held_up (const TestAvatar *t, Gate *gate)
{
  GstHarness *h = test_harness ("gagsplat", NULL);
  g_autoptr (GstBus) bus = gst_element_get_bus (h->element);

  gst_bus_set_sync_handler (bus, hold_up, gate, NULL);
  gst_element_set_state (h->element, GST_STATE_NULL);
  g_object_set (
      h->element, "model", t->model, "head", t->head, "avatars", t->people, "avatar", "two", NULL);
  gst_harness_play (h);
  gst_harness_set_sink_caps_str (h, "video/x-raw,format=RGB,width=64,height=64");
  set_motion (h, "flame");
  g_mutex_lock (&gate->lock);
  while (!gate->waits)
    g_cond_wait (&gate->changed, &gate->lock);
  g_mutex_unlock (&gate->lock);
  return h;
}

/* Progress messages so far whose text has `part`; all are taken from the bus. */
static guint
count_progress (GstHarness *h, const char *part)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (h->element);
  GstMessage *m;
  guint n = 0;

  while ((m = gst_bus_pop_filtered (bus, GST_MESSAGE_PROGRESS))) {
    g_autofree char *text = NULL;

    gst_message_parse_progress (m, NULL, NULL, &text);
    n += strstr (text, part) != NULL;
    gst_message_unref (m);
  }
  return n;
}

/* A stop tells at once that nobody is prepared, and nothing more; it can be followed by a start, or by the end, while
 * memory is still given back. */
GST_START_TEST (test_stop_while_preparing)
{
  TestAvatar t;

  if (!test_avatar_open (&t))
    return;
  for (guint again = 0; again < 2; again++) {
    Gate gate = { 0 };
    GstHarness *h = held_up (&t, &gate);
    GThread *thread = g_thread_new ("gate", open_gate_later, &gate);

    gst_element_set_state (h->element, GST_STATE_READY);
    fail_unless_equals_int (count_progress (h, "two.jpg is not prepared"), 1);
    g_thread_join (thread);
    if (again) {
      gst_harness_play (h);
      set_motion (h, "flame");
      gst_buffer_unref (gst_harness_push_and_pull (h, test_motion_buffer (0, t.motion)));
      fail_unless_equals_int (count_progress (h, "two.jpg is ready"), 1);
    }
    test_end (h);
  }
  test_avatar_clear (&t);
}
GST_END_TEST

/* A flush does not wait for the avatar that is being prepared, and that is shown afterwards. */
GST_START_TEST (test_flush_while_preparing)
{
  TestAvatar t;
  Gate gate = { 0 };
  GstHarness *h;
  Job job;
  GThread *thread;
  double took;

  if (!test_avatar_open (&t))
    return;
  h = held_up (&t, &gate);
  job = (Job){ .h = h, .buffer = test_motion_buffer (0, t.motion) };
  thread = g_thread_new ("push", push, &job);
  g_usleep (20000);
  took = interrupt (&job, thread, FALSE);
  fail_unless_equals_int (job.flow, GST_FLOW_FLUSHING);
  fail_unless_equals_int (gst_harness_buffers_received (h), 0);
  fail_unless (took < LIMIT_MS, "takes %.1f ms", took);
  open_gate (&gate);
  test_push_segment (h, 0, 0);
  gst_buffer_unref (gst_harness_push_and_pull (h, test_motion_buffer (1, t.motion + TEST_MOTION)));
  test_end (h);
  test_avatar_clear (&t);
}
GST_END_TEST

static Suite *
gagsplat_suite (void)
{
  Suite *s = suite_create ("gagsplat");
  TCase *c = tcase_create ("general");

  suite_add_tcase (s, c);
  tcase_add_test (c, test_bad_settings);
  tcase_add_test (c, test_other_basis);
  tcase_add_test (c, test_bad_people);
  tcase_add_test (c, test_golden);
  tcase_add_test (c, test_cache);
  tcase_add_test (c, test_flush_while_preparing);
  tcase_add_test (c, test_stop_while_preparing);
  if (test_on_valgrind ())
    return s; /* the built-in avatar's frames would take minutes */
  tcase_add_test (c, test_defaults);
  tcase_add_test (c, test_formats);
  tcase_add_test (c, test_sizes);
  tcase_add_test (c, test_background);
  tcase_add_test (c, test_bad_motion);
  tcase_add_test (c, test_no_people);
  tcase_add_test (c, test_cancel);
  return s;
}

GST_CHECK_MAIN (gagsplat)
