/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* oneDNN, named in onednn*.c only: its v2 C interface. Matrices here have the layout AK_LAYOUT_ONEDNN. */
#pragma once

#include "conv2d.h"

/* Records y = epilogue (x W) for `rows` rows; `p` says all but the weights. */
void ak_onednn_linear (AkPlan *plan, AkCpuMatrix *m, const AkPanels *p, size_t rows);

/* Records a convolution with `rows` results per batch item. */
void ak_onednn_conv (AkPlan *plan, AkCpuMatrix *m, const AkConv *args, size_t rows);

/* Records one piece of a two-dimensional convolution. */
void ak_onednn_conv2d (AkPlan *plan, AkCpuMatrix *m, const AkConv2dPiece *piece, size_t stride);

/* Frees what oneDNN packed of a matrix, and a device's engine. */
void ak_onednn_matrix_clear (AkCpuMatrix *m);
void ak_onednn_close (struct AkOnednn *dnn);
