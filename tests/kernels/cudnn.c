/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Plans of cuDNN, made without a card for cards that are described: the library looks for engines and makes plans of the
 * graphs as it would there. Those for bfloat16 are compiled on the spot, which needs a driver, so they are made only for
 * the card that is there. Exits with 77 where cuDNN cannot be opened. */
#include "kernels/cuda/cudnn_conv.h"

#include <stdio.h>

/* As cuDNN writes cards; those of the compute capabilities that we compile for. */
#define CARD(version, processors, shared)                                                          \
  "{\"deviceName\":\"\",\"cudaDeviceId\":0,\"deviceVer\":" version ",\"driverVer\":13000,"         \
  "\"maxGridSize\":[2147483647,65535,65535],\"maxBlockSize\":[1024,1024,64],"                      \
  "\"regsPerBlock\":65536,\"multiProcessorCount\":" processors ",\"smClockRateKHz\":1700000,"      \
  "\"memClockRateKHz\":2000000,\"l2CacheSize\":41943040,\"warpSize\":32,"                          \
  "\"maxSharedMemoryPerBlock\":49152,\"maxSharedMemoryPerBlockOptin\":" shared ","                 \
  "\"reservedSharedMemoryPerBlock\":1024,\"maxRegistersPerSM\":65536,\"pciDeviceId\":0,"           \
  "\"maxCtasPerSM\":32,\"maxThreadsPerBlock\":1024,\"maxThreadsPerSM\":1536,\"isTccDriver\":0,"    \
  "\"supportCoopLaunch\":1,\"totalGlobalMem\":42949672960}"

static const struct
{
  const char *name, *properties;
} cards[] = { { "8.0", CARD ("800", "108", "166912") }, { "9.0", CARD ("900", "132", "232448") },
  { "12.0", CARD ("1200", "170", "101376") }, { "of the card here", NULL } };

static float memory[64] __attribute__ ((aligned (16)));

/* Of the published avatar: the first has nothing after its sums but bias and ReLU. */
static const struct
{
  size_t side_of_image, in, out, side, padding;
  AkActivation activation;
  int scaled;
} cases[] = {
  { 37, 256, 256, 3, 1, AK_ACT_RELU, 0 },
  { 512, 32, 32, 1, 0, AK_ACT_NONE, 0 },
  { 512, 32, 32, 3, 1, AK_ACT_LEAKY_RELU, 0 },
  { 64, 512, 256, 3, 1, AK_ACT_LEAKY_RELU, 1 },
};

static AkConvGraph
graph_of (size_t i, int bf16, AkConvExtent *extent)
{
  const size_t pixels = cases[i].side_of_image * cases[i].side_of_image;
  AkCudaMatrix m = { .base = { .out = cases[i].out, .in = cases[i].in, .side = cases[i].side },
    .n = cases[i].out,
    .k = cases[i].in * cases[i].side * cases[i].side,
    .bf16 = bf16,
    .data = memory };
  AkConv2d a = { .y = ak_dense (memory, pixels, cases[i].out),
    .x = ak_dense (memory, pixels, cases[i].in),
    .bias = memory,
    .activation = cases[i].activation,
    .batch = 1,
    .height = cases[i].side_of_image,
    .width = cases[i].side_of_image,
    .stride = 1,
    .padding = cases[i].padding };
  AkConvGraph g;

  m.kp = m.k;
  if (cases[i].scaled) {
    a.in_scale = a.out_scale = ak_same (memory);
    a.noise = (AkRows){ memory, 1, 0 };
    a.gate = a.residual = ak_dense (memory + 16, pixels, cases[i].out);
  }
  if (*extent > ak_cuda_conv2d_extent (&a, &m))
    *extent = AK_CONV_SUMS;
  ak_cuda_conv2d_graph (&g, &a, &m, *extent);
  return g;
}

int
main (void)
{
  static const char *const names[] = { "sums", "up to the activation", "all" };
  char problem[256];
  unsigned failures = 0;

  for (size_t c = 0; c < sizeof cards / sizeof *cards; c++) {
    const int here = !cards[c].properties;
    AkCudnn *cudnn = ak_cudnn_open (cards[c].properties, problem, sizeof problem);

    if (!cudnn && here) {
      printf ("there is no card here: %s\n", problem);
      break;
    }
    if (!cudnn) {
      printf ("SKIPPED: %s\n", problem);
      return 77;
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
      for (int bf16 = 0; bf16 <= here; bf16++)
        for (int wanted = AK_CONV_SUMS; wanted <= AK_CONV_ALL; wanted++) {
          AkConvExtent extent = (AkConvExtent) wanted;
          AkConvGraph g = graph_of (i, bf16, &extent);
          const AkCudnnPlan *plan =
              extent == (AkConvExtent) wanted ? ak_cudnn_plan (cudnn, &g) : NULL;
          const int good = extent != (AkConvExtent) wanted ||
                           (plan && plan == ak_cudnn_plan (cudnn, &g) &&
                               ak_cudnn_workspace (plan) <= AK_CUDNN_WORKSPACE);

          if (extent == (AkConvExtent) wanted)
            printf ("%s: capability %s, case %zu, %s, %s\n", good ? "ok" : "FAILED", cards[c].name,
                i, bf16 ? "bf16" : "f32", names[extent]);
          failures += !good;
        }
    ak_cudnn_close (cudnn);
  }
  if (ak_cudnn_open ("{}", problem, sizeof problem)) {
    printf ("FAILED: a card without properties\n");
    failures++;
  }
  return failures != 0;
}
