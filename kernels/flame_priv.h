/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The common head of every device's packed FLAME. For kernels/ only. */
#pragma once

#include "flame.h"

struct AkFlame
{
  AkDevice *dev; /* a reference, which the doors take and give back */
  size_t vertices, joints, expressions;
};
