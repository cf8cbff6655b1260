/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pictures in the memory of the card that draws them: who gets them, whose context and pool they are of, and that they
 * are the same pictures. The card is the environment's ARTALK_TEST_DEVICE; with "cuda:host" and its driver in the
 * linker's path the processor stands in for it, and the host cannot read its memory either. */
#include <gst/app/gstappsrc.h>
#include <gst/base/gstbasesink.h>
#include <gst/cuda/gstcudabufferpool.h>
#include <gst/cuda/gstcudautils.h>
#include <stdlib.h>
#include <string.h>

#include "models/device.h"
#include "testmotion.h"

#define CUDA_NV12 "video/x-raw(memory:CUDAMemory),format=NV12"
#define SMALL ",width=64,height=48"

static const char *device;

/* What nvh264enc does: takes pictures of both kinds, wants a context before it gets data, and offers a pool. */

typedef struct
{
  GstBaseSink parent;
  GstCaps *wanted;      /* object lock */
  gboolean own_context; /* before anybody else is asked */
  gboolean offers_pool;
  GstCudaContext *context;
  GPtrArray *buffers;
  GstCaps *caps; /* of the last buffer */
} TestSink;

typedef struct
{
  GstBaseSinkClass parent_class;
} TestSinkClass;

static GType test_sink_get_type (void);
G_DEFINE_TYPE (TestSink, test_sink, GST_TYPE_BASE_SINK)
#define SINK(o) ((TestSink *) (o))

static GstCaps *
sink_get_caps (GstBaseSink *base, GstCaps *filter)
{
  GstCaps *caps;

  GST_OBJECT_LOCK (base);
  caps = gst_caps_ref (SINK (base)->wanted);
  GST_OBJECT_UNLOCK (base);
  if (filter) {
    GstCaps *narrow = gst_caps_intersect_full (filter, caps, GST_CAPS_INTERSECT_FIRST);

    gst_caps_unref (caps);
    caps = narrow;
  }
  return caps;
}

static gboolean
sink_propose_allocation (GstBaseSink *base, GstQuery *query)
{
  GstBufferPool *pool;
  GstStructure *config;
  GstVideoInfo info;
  GstCaps *caps;
  guint size;

  gst_query_parse_allocation (query, &caps, NULL);
  if (!SINK (base)->offers_pool ||
      !gst_caps_features_contains (gst_caps_get_features (caps, 0), "memory:CUDAMemory"))
    return TRUE;
  fail_unless (gst_video_info_from_caps (&info, caps));
  pool = gst_cuda_buffer_pool_new (SINK (base)->context);
  config = gst_buffer_pool_get_config (pool);
  gst_buffer_pool_config_set_params (config, caps, GST_VIDEO_INFO_SIZE (&info), 3, 0);
  fail_unless (gst_buffer_pool_set_config (pool, config));
  config = gst_buffer_pool_get_config (pool);
  gst_buffer_pool_config_get_params (config, NULL, &size, NULL, NULL);
  gst_structure_free (config);
  gst_query_add_allocation_pool (query, pool, size, 3, 0);
  gst_object_unref (pool);
  return TRUE;
}

static GstFlowReturn
sink_render (GstBaseSink *base, GstBuffer *buffer)
{
  gst_caps_replace (&SINK (base)->caps, NULL);
  SINK (base)->caps = gst_pad_get_current_caps (base->sinkpad);
  g_ptr_array_add (SINK (base)->buffers, gst_buffer_ref (buffer));
  return GST_FLOW_OK;
}

static GstStateChangeReturn
sink_change_state (GstElement *element, GstStateChange transition)
{
  TestSink *self = SINK (element);

  if (transition == GST_STATE_CHANGE_NULL_TO_READY) {
    if (self->own_context)
      self->context = gst_cuda_context_new (0);
    fail_unless (gst_cuda_ensure_element_context (element, -1, &self->context));
  }
  return GST_ELEMENT_CLASS (test_sink_parent_class)->change_state (element, transition);
}

static void
sink_set_context (GstElement *element, GstContext *context)
{
  gst_cuda_handle_set_context (element, context, -1, &SINK (element)->context);
  GST_ELEMENT_CLASS (test_sink_parent_class)->set_context (element, context);
}

static void
sink_finalize (GObject *object)
{
  TestSink *self = SINK (object);

  g_ptr_array_unref (self->buffers);
  gst_caps_replace (&self->wanted, NULL);
  gst_caps_replace (&self->caps, NULL);
  gst_clear_object (&self->context);
  G_OBJECT_CLASS (test_sink_parent_class)->finalize (object);
}

static void
test_sink_init (TestSink *self)
{
  self->buffers = g_ptr_array_new_with_free_func ((GDestroyNotify) gst_buffer_unref);
  self->offers_pool = TRUE;
  gst_base_sink_set_sync (GST_BASE_SINK (self), FALSE);
}

static void
test_sink_class_init (TestSinkClass *klass)
{
  GstBaseSinkClass *base_class = GST_BASE_SINK_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = sink_finalize;
  element_class->change_state = sink_change_state;
  element_class->set_context = sink_set_context;
  base_class->get_caps = sink_get_caps;
  base_class->propose_allocation = sink_propose_allocation;
  base_class->render = sink_render;
  gst_element_class_add_pad_template (
      element_class, gst_pad_template_new ("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_CAPS_ANY));
}

/* A pipeline of motion, flamemesh and that sink. How gagsplat draws into memory of the device is a matter of golden
 * files, as its network takes long without a card. */

typedef struct
{
  GstElement *pipeline, *renderer;
  GstAppSrc *src;
  TestSink *sink;
} Play;

static Play
play_new (const char *wanted)
{
  g_autoptr (GstCaps) caps = gst_caps_from_string (TEST_MOTION_CAPS);
  Play p = { gst_pipeline_new (NULL), gst_element_factory_make ("flamemesh", NULL),
    GST_APP_SRC (gst_element_factory_make ("appsrc", NULL)),
    g_object_new (test_sink_get_type (), NULL) };
  GstElement *queue = gst_element_factory_make ("queue", NULL);

  p.sink->wanted = gst_caps_from_string (wanted);
  g_object_set (p.renderer, "device", device, NULL);
  g_object_set (p.src, "caps", caps, "format", GST_FORMAT_TIME, NULL);
  gst_bin_add_many (
      GST_BIN (p.pipeline), GST_ELEMENT (p.src), p.renderer, queue, GST_ELEMENT (p.sink), NULL);
  fail_unless (
      gst_element_link_many (GST_ELEMENT (p.src), p.renderer, queue, GST_ELEMENT (p.sink), NULL));
  return p;
}

static void
play_push (Play *p, guint from, guint to)
{
  for (guint i = from; i < to; i++)
    fail_unless_equals_int (
        gst_app_src_push_buffer (p->src, test_motion_frame (i, 0.2f)), GST_FLOW_OK);
}

/* Plays to the end; the text of the error if there was one. (transfer full) */
static char *
play_end (Play *p)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (p->pipeline);
  g_autoptr (GstMessage) message = NULL;
  g_autoptr (GError) error = NULL;

  gst_app_src_end_of_stream (p->src);
  gst_element_set_state (p->pipeline, GST_STATE_PLAYING);
  message = gst_bus_timed_pop_filtered (bus, 60 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  fail_unless (message != NULL);
  if (GST_MESSAGE_TYPE (message) != GST_MESSAGE_ERROR)
    return NULL;
  gst_message_parse_error (message, &error, NULL);
  return g_strdup (error->message);
}

static void
play_free (Play *p)
{
  gst_element_set_state (p->pipeline, GST_STATE_NULL);
  gst_object_unref (p->pipeline);
}

static gboolean
is_cuda (const GstCaps *caps)
{
  return gst_caps_features_contains (gst_caps_get_features (caps, 0), "memory:CUDAMemory");
}

/* `n` frames through a pipeline of its own: what was drawn as bytes without gaps, after checking that it is of the kind
 * that was wanted. (element-type GBytes) (transfer full) */
static GPtrArray *
draw (const char *wanted, gboolean cuda, guint n)
{
  GPtrArray *all = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  Play p = play_new (wanted);
  g_autofree char *problem = NULL;
  GstVideoInfo info;

  play_push (&p, 0, n);
  problem = play_end (&p);
  fail_unless (problem == NULL, "%s: %s", wanted, problem);
  fail_unless_equals_int (p.sink->buffers->len, n);
  fail_unless_equals_int (is_cuda (p.sink->caps), cuda);
  fail_unless (gst_video_info_from_caps (&info, p.sink->caps));
  for (guint i = 0; i < n; i++) {
    GstBuffer *b = test_buffer (p.sink->buffers, i);
    GByteArray *bytes = g_byte_array_new ();
    GstVideoFrame f;

    fail_unless_equals_int (gst_is_cuda_memory (gst_buffer_peek_memory (b, 0)), cuda);
    fail_unless_equals_int (test_is_pinned (b), !cuda);
    fail_unless_equals_uint64 (GST_BUFFER_PTS (b), i * TEST_FRAME);
    fail_unless (gst_video_frame_map (&f, &info, b, GST_MAP_READ)); /* from the card as well */
    for (guint k = 0; k < GST_VIDEO_FRAME_N_PLANES (&f); k++) {
      guint width = GST_VIDEO_FRAME_COMP_WIDTH (&f, k) * GST_VIDEO_FRAME_COMP_PSTRIDE (&f, k);

      if (cuda) /* the pool of the stand-in leaves gaps */
        fail_unless (GST_VIDEO_FRAME_PLANE_STRIDE (&f, k) % 512 == 0);
      for (int y = 0; y < GST_VIDEO_FRAME_COMP_HEIGHT (&f, k); y++)
        g_byte_array_append (bytes,
            (guint8 *) GST_VIDEO_FRAME_PLANE_DATA (&f, k) +
                y * GST_VIDEO_FRAME_PLANE_STRIDE (&f, k),
            width);
    }
    gst_video_frame_unmap (&f);
    g_ptr_array_add (all, g_byte_array_free_to_bytes (bytes));
  }
  play_free (&p);
  return all;
}

static void
check_same (const char *format, guint n)
{
  g_autofree char *on_card = g_strconcat ("video/x-raw(memory:CUDAMemory),", format, NULL);
  g_autofree char *on_host = g_strconcat ("video/x-raw,", format, NULL);
  g_autoptr (GPtrArray) a = draw (on_card, TRUE, n);
  g_autoptr (GPtrArray) b = draw (on_host, FALSE, n);

  for (guint i = 0; i < n; i++)
    fail_unless (g_bytes_equal (g_ptr_array_index (a, i), g_ptr_array_index (b, i)),
        "frame %u of %s differs", i, format);
}

/* Byte by byte what goes to the host, in odd sizes too; the frames differ from one to the next. */
GST_START_TEST (test_same_pictures)
{
  g_autoptr (GPtrArray) frames = draw (CUDA_NV12 SMALL, TRUE, 3);

  fail_if (g_bytes_equal (g_ptr_array_index (frames, 0), g_ptr_array_index (frames, 2)));
  check_same ("format=NV12" SMALL, 3);
  check_same ("format=NV12,width=131,height=97", 1);
  check_same ("format=RGBA,width=131,height=97", 1);
  check_same ("format=BGR" SMALL, 1);
}
GST_END_TEST

/* Who names the card's memory gets it, whatever else it takes; NV12 before other formats. Who takes anything does not. */
GST_START_TEST (test_choice)
{
  static const struct
  {
    const char *wanted;
    gboolean cuda;
    GstVideoFormat format;
  } cases[] = {
    { "video/x-raw,format={I420,NV12}" SMALL "; video/x-raw(memory:CUDAMemory)" SMALL, TRUE,
        GST_VIDEO_FORMAT_NV12 },
    { "video/x-raw(memory:CUDAMemory),format={RGBA,BGRx}" SMALL "; video/x-raw" SMALL, TRUE,
        GST_VIDEO_FORMAT_BGRx },
    { "video/x-raw(memory:GLMemory)" SMALL "; video/x-raw,format=RGBA" SMALL, FALSE,
        GST_VIDEO_FORMAT_RGBA },
    { "video/x-raw(ANY)" SMALL, FALSE, GST_VIDEO_FORMAT_I420 },
    { "ANY", FALSE, GST_VIDEO_FORMAT_I420 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    Play p = play_new (cases[i].wanted);
    GstVideoInfo info;
    char *problem;

    play_push (&p, 0, 1);
    problem = play_end (&p);
    fail_unless (problem == NULL, "%s: %s", cases[i].wanted, problem);
    fail_unless (gst_video_info_from_caps (&info, p.sink->caps));
    fail_unless_equals_int (is_cuda (p.sink->caps), cases[i].cuda);
    fail_unless_equals_int (GST_VIDEO_INFO_FORMAT (&info), cases[i].format);
    play_free (&p);
  }
}
GST_END_TEST

static void *
handle_of (GstBuffer *buffer)
{
  return gst_cuda_context_get_handle (
      GST_CUDA_MEMORY_CAST (gst_buffer_peek_memory (buffer, 0))->context);
}

/* An encoder that has no context gets the card's from the renderer, though it opens first, and its pool is used. */
GST_START_TEST (test_context)
{
  Play p = play_new (CUDA_NV12 SMALL);
  AkDevice *dev = ak_device_open (device, 0, NULL);
  int card = -1;
  void *handle = ak_device_context (dev, &card);
  GstBuffer *b;

  fail_unless (handle != NULL);
  fail_unless_equals_int (card, 0);
  play_push (&p, 0, 2);
  fail_unless (play_end (&p) == NULL);
  b = test_buffer (p.sink->buffers, 1);
  fail_unless (gst_cuda_context_get_handle (p.sink->context) == handle);
  fail_unless (handle_of (b) == handle);
  fail_unless (GST_CUDA_MEMORY_CAST (gst_buffer_peek_memory (b, 0))->context == p.sink->context);
  play_free (&p);
  ak_device_unref (dev);
}
GST_END_TEST

/* One that has another context keeps it: what it gets is in the card's, from a pool of the renderer's. */
GST_START_TEST (test_other_context)
{
  for (int pool = 0; pool < 2; pool++) {
    Play p = play_new (CUDA_NV12 SMALL);
    AkDevice *dev = ak_device_open (device, 0, NULL);
    int card;
    void *handle = ak_device_context (dev, &card);

    p.sink->own_context = TRUE;
    p.sink->offers_pool = pool;
    fail_unless (gst_cuda_load_library ());
    play_push (&p, 0, 1);
    fail_unless (play_end (&p) == NULL);
    fail_unless (gst_cuda_context_get_handle (p.sink->context) != handle);
    fail_unless (handle_of (test_buffer (p.sink->buffers, 0)) == handle);
    play_free (&p);
    ak_device_unref (dev);
  }
}
GST_END_TEST

static void
want (Play *p, const char *caps)
{
  GST_OBJECT_LOCK (p->sink);
  gst_caps_replace (&p->sink->wanted, NULL);
  p->sink->wanted = gst_caps_from_string (caps);
  GST_OBJECT_UNLOCK (p->sink);
  gst_pad_push_event (GST_BASE_SINK_PAD (p->sink), gst_event_new_reconfigure ());
}

static void
wait_for (Play *p, guint n)
{
  for (int i = 0; i < 6000 && g_atomic_int_get ((gint *) &p->sink->buffers->len) < (gint) n; i++)
    g_usleep (10000);
  fail_unless_equals_int (p->sink->buffers->len, n);
}

/* From the card's memory to the host's and back while it plays. */
GST_START_TEST (test_renegotiation)
{
  static const char *const wanted[] = { CUDA_NV12 SMALL, "video/x-raw,format=NV12" SMALL,
    CUDA_NV12 ",width=80,height=64", "video/x-raw(memory:CUDAMemory),format=RGBA" SMALL };
  Play p = play_new (wanted[0]);

  gst_element_set_state (p.pipeline, GST_STATE_PLAYING);
  for (guint i = 0; i < G_N_ELEMENTS (wanted); i++) {
    g_autoptr (GstCaps) caps = gst_caps_from_string (wanted[i]);

    if (i)
      want (&p, wanted[i]);
    play_push (&p, 2 * i, 2 * i + 2);
    wait_for (&p, 2 * i + 2);
    fail_unless (gst_caps_can_intersect (p.sink->caps, caps), "%s", wanted[i]);
    fail_unless_equals_int (
        gst_is_cuda_memory (gst_buffer_peek_memory (test_buffer (p.sink->buffers, 2 * i + 1), 0)),
        is_cuda (caps));
  }
  fail_unless (play_end (&p) == NULL);
  play_free (&p);
}
GST_END_TEST

/* In READY the pad says what will be so; on another device there is nothing to say. */
GST_START_TEST (test_offer)
{
  static const char *const names[] = { "flamemesh", "gagsplat" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autoptr (GstElement) element =
        gst_object_ref_sink (gst_element_factory_make (names[i], NULL));
    g_autoptr (GstPad) pad = gst_element_get_static_pad (element, "src");
    g_autoptr (GstCaps) wanted = gst_caps_from_string (CUDA_NV12);

    for (int twice = 0; twice < 2; twice++) {
      g_autoptr (GstCaps) on_card = NULL, on_cpu = NULL;

      g_object_set (element, "device", device, NULL);
      gst_element_set_state (element, GST_STATE_READY);
      on_card = gst_pad_query_caps (pad, NULL);
      fail_unless (gst_caps_can_intersect (on_card, wanted));
      g_object_set (element, "device", "cpu", NULL);
      on_cpu = gst_pad_query_caps (pad, NULL);
      fail_if (gst_caps_can_intersect (on_cpu, wanted));
      gst_element_set_state (element, GST_STATE_NULL);
    }
  }
}
GST_END_TEST

/* Through the bin an encoder sees as much. */
GST_START_TEST (test_bin)
{
  g_autoptr (GstElement) bin =
      gst_object_ref_sink (gst_element_factory_make ("artalkavatar", NULL));
  g_autoptr (GstElement) renderer = gst_bin_get_by_name (GST_BIN (bin), "renderer");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (bin, "src");
  g_autoptr (GstQuery) query = gst_query_new_context (GST_CUDA_CONTEXT_TYPE);
  g_autoptr (GstCaps) caps = NULL, wanted = gst_caps_from_string (CUDA_NV12);

  g_object_set (renderer, "device", device, NULL);
  caps = gst_pad_query_caps (pad, NULL);
  fail_unless (gst_caps_can_intersect (caps, wanted));
  fail_unless (gst_pad_query (pad, query));
}
GST_END_TEST

static Suite *
cudamemory_suite (void)
{
  Suite *s = suite_create ("cudamemory");
  TCase *tc = tcase_create ("all");

  suite_add_tcase (s, tc);
  tcase_add_test (tc, test_same_pictures);
  tcase_add_test (tc, test_choice);
  tcase_add_test (tc, test_context);
  tcase_add_test (tc, test_other_context);
  tcase_add_test (tc, test_renegotiation);
  tcase_add_test (tc, test_offer);
  tcase_add_test (tc, test_bin);
  return s;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  AkDevice *dev;
  Suite *s;

  device = getenv ("ARTALK_TEST_DEVICE");
  dev = am_device_open (device, 0, &error);
  if (!dev) {
    g_print ("skipped: %s\n", error->message);
    return 77;
  }
  ak_device_unref (dev);
  gst_check_init (&argc, &argv);
  s = cudamemory_suite ();
  return gst_check_run_suite (s, "cudamemory", __FILE__);
}
