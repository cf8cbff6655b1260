/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Motion for tests of the elements that take it, and looking at what comes out. */
#pragma once

#include "testharness.h"

G_BEGIN_DECLS

#define TEST_MOTION_CAPS                                                                           \
  "motion/x-flame,format=F32LE,expression=100,pose=6,basis=arkit-1,framerate=25/1"
#define TEST_MOTION 106 /* numbers of a frame */
#define TEST_YAW 101
#define TEST_JAW 103
#define TEST_SMILE 23 /* stays in silence: 0.25 in every frame */

/* Frame `i` of these numbers, [TEST_MOTION]. */
GstBuffer *test_motion_buffer (guint i, const float *numbers);

/* A harness around a filter of motion, which is told that nothing is live: a new harness says that it is. */
GstHarness *test_motion_harness (const char *element);

/* Frame `i` of speech with a jaw that opens up to about `jaw`, or with 0 of silence. */
GstBuffer *test_motion_frame (guint i, float jaw);

/* Pushes frames `from` to `to`. */
void test_push_motion (GstHarness *h, guint from, guint to, float jaw);

/* Number `k` of a frame. */
float test_number (GstBuffer *frame, guint k);

/* Fails unless `all` are `n` frames one after the other, from frame `from` on. */
void test_check_motion (GPtrArray *all, guint from, guint n);

/* Fails unless the element draws a frame of numbers that are none, and refuses half a number. */
void test_nonsense (GstHarness *h);

/* Fails unless `frame` holds test_motion_frame (i, jaw). */
void test_same_motion (GstBuffer *frame, guint i, float jaw);

/* An artalk-interrupt event; `time` may be NONE. */
GstEvent *test_interruption (GstEventType type, GstClockTime time, gboolean marked);

G_END_DECLS
