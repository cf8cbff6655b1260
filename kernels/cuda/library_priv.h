/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What library.c opens. */
#pragma once

#include "cudnn_conv.h"

#include <cublasLt.h>
#include <pthread.h>

struct AkLibrary
{
  cublasLtHandle_t lt;
  pthread_mutex_t lock; /* of what follows */
  AkCudnn *cudnn;       /* opened for the first convolution of images; NULL where there is none */
  int cudnn_asked;
};
