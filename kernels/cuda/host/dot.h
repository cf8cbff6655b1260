/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What products and convolutions of the processor are made of. */
#pragma once

#include <stddef.h>

/* The sum of the products of n numbers of `a`, from number `a_at` on, and of `b`, floats or bfloat16. */
double ak_host_dot (const void *a, size_t a_at, const void *b, size_t b_at, size_t n, int bf16);
