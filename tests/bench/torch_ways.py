# SPDX-License-Identifier: LGPL-2.1-or-later
"""PyTorch's ways to run a step on a device, by the clock: for the scripts that print lines of the table."""
import math
import time

import torch

TURNS, WARM = 13, 3
WAYS = {"eager": None, "compiled": torch.compile}


def graph_of(step):
    """A call that replays what `step` launches, and gives its result."""
    for _ in range(3):
        step()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = step()

    def replay():
        graph.replay()
        return result
    return replay


WAYS["a CUDA graph"] = graph_of


def prepare(device):
    """Whether `device` is there. TF32 stays off, so that float32 is what it says."""
    if device.startswith("cuda") and not torch.cuda.is_available():
        print("SKIPPED: PyTorch sees no card")
        return False
    torch.set_grad_enabled(False)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    return True


def device_name(device):
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device


def print_way(label, make_step, way, device):
    """One line: the best time of what make_step() gives. A way that this version does not go is a line, not the end."""
    try:
        step = make_step()
        call = WAYS[way](step) if WAYS[way] else step
        best = math.inf
        for turn in range(TURNS):
            begin = time.perf_counter()
            call()
            if device.startswith("cuda"):
                torch.cuda.synchronize()
            if turn >= WARM:
                best = min(best, time.perf_counter() - begin)
        print(f"| {label} | {1e3 * best:.2f} ms |", flush=True)
    except Exception as error:  # pylint: disable=broad-except
        print(f"| {label} | does not run: {type(error).__name__}: {str(error).splitlines()[0][:120]} |", flush=True)
