/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests of the elements share: speech-like audio, harnesses, and looking at what came out. */
#pragma once

#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>

#include "testmodel.h"

G_BEGIN_DECLS

#define TEST_AUDIO_CAPS "audio/x-raw,format=F32LE,rate=16000,channels=1,layout=interleaved"
#define TEST_WINDOW 16000 /* samples, of test_model_small */
#define TEST_FRAME (40 * GST_MSECOND)

/* `n` samples of something like syllables, always the same. (transfer full) */
float *test_speech (guint n);

/* Samples `first` to `first + n` of `samples` as a buffer; with `pts` the time of `first`, else no time. */
GstBuffer *test_audio (const float *samples, guint first, guint n, gboolean pts);

/* A harness around `element` with its bus, where `model` (may be NULL) is set first. The element plays. */
GstHarness *test_harness (const char *element, const char *model);
GstHarness *test_harness_parse (const char *launch);

/* Ends a harness and checks that nothing but what a test has asked for was posted on its bus. */
void test_end (GstHarness *h);

/* Whether this runs too slowly for tests that look at the clock. */
gboolean test_on_valgrind (void);

/* The text of the next message of `type` on the harness's or the element's bus, or NULL. (transfer full) */
char *test_message (GstElement *element, GstMessageType type);

/* Pushes `samples` in buffers of `step` samples (0: sizes that change from one to the next). */
void test_push_speech (GstHarness *h, const float *samples, guint n, guint step);

/* Whether `buffer` is memory that a card copies into by itself. */
gboolean test_is_pinned (GstBuffer *buffer);

/* A segment in time from `start` on, at the running time `base`. */
void test_push_segment (GstHarness *h, GstClockTime start, GstClockTime base);

/* A flush, which takes the segment too. */
void test_push_flush (GstHarness *h);

/* All buffers that are there. (element-type GstBuffer) (transfer full) */
GPtrArray *test_pull_all (GstHarness *h);
#define test_buffer(array, i) ((GstBuffer *) g_ptr_array_index ((array), (i)))

/* Ends the stream and the harness; returns what came out. (element-type GstBuffer) (transfer full) */
GPtrArray *test_finish (GstHarness *h);

/* Fails unless `buffer` is the window with the new samples `first` to `end` of a stream that began at `base`. */
void test_check_window (
    GstBuffer *buffer, guint64 first, guint64 end, GstClockTime base, gboolean discont);

/* Fails unless both hold the same bytes with the same times, offsets and DISCONT flags. */
void test_same (GPtrArray *a, GPtrArray *b);

/* Speech of `n` samples through a new `element` of `model`, pushed in steps of `step`, to the end. */
GPtrArray *test_run (
    const char *element, const char *model, const float *samples, guint n, guint step);

/* Brings `element`, alone in a pipeline, to PAUSED and checks that this fails with one error of which the text
 * holds `part`; afterwards it is in NULL. */
void test_fails_to_start (GstElement *element, const char *part);

G_END_DECLS
