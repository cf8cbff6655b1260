/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows that lie in many places, brought together and taken back: what each stream keeps for itself is computed in one
 * batch.
 *
 * ak_members_gather: row r of batch item b of `rows` = table[b][r · cols …]; ak_members_scatter: the other way. `table`: [batch] pointers
 * to dense [rows][cols], device memory that may change from run to run. Where an entry is NULL nothing is copied: the
 * batch has fewer members than room, and its row keeps what it held. Every bit is kept. */
#pragma once

#include "plan.h"
#include "rows.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct
{
  AkRows view;
  float *const *table;
  size_t batch, rows, cols;
} AkMembers;

void ak_members_gather (AkPlan *plan, const AkMembers *args);
void ak_members_scatter (AkPlan *plan, const AkMembers *args);

#ifdef __cplusplus
}
#endif
