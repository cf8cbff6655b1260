/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What benchmarks share: clocks, the speed of a large product, streams at once. */
#pragma once

#include <glib.h>

#include "kernels/device.h"

G_BEGIN_DECLS

/* In seconds: the clock on the wall; what this process has used of all processors. */
double measure_wall (void);
double measure_processor (void);

/* Sorts them. */
void measure_sort (double *values, size_t n);

/* Multiply-adds per second of processor time of a product of rows × n × n, at best. */
double measure_product (AkDevice *dev, size_t rows, size_t n);

/* Streams that start together, each with a thread of its own. */
typedef struct
{
  GMutex lock;
  GCond changed;
  unsigned ready;
  gboolean go;
  unsigned n;
  GThread **threads;
} MeasureStreams;

/* Runs run (stream) for each of `n` streams of `size` bytes, and returns when all wait in measure_streams_ready(). */
void measure_streams_begin (
    MeasureStreams *self, unsigned n, GThreadFunc run, void *streams, size_t size);
/* For a stream that is warm: returns when all may go. */
void measure_streams_ready (MeasureStreams *self);
/* Lets them go, and returns when all have ended. */
void measure_streams_run (MeasureStreams *self);

G_END_DECLS
