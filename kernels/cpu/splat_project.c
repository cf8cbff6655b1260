/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "splat_project.h"

void
ak_splat_project_plain (const AkSplatJob *job, size_t from, size_t to)
{
  project (job, from, to);
}
