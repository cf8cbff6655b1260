# SPDX-License-Identifier: LGPL-2.1-or-later
"""A head's measures without the C program: FLAME posing of the named regions in numpy (model spec, section 8)."""
import json
import struct
from pathlib import Path

import numpy as np

TYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "I64": np.int64, "I32": np.int32, "U32": np.uint32,
         "I16": np.int16, "U16": np.uint16, "I8": np.int8, "U8": np.uint8}


def read_safetensors(path):
    """{name: array} and the metadata of a safetensors file (bf16 becomes float32)."""
    raw = Path(path).read_bytes()
    n = struct.unpack("<Q", raw[:8])[0]
    head = json.loads(raw[8:8 + n])
    out = {}
    for name, t in head.items():
        if name == "__metadata__":
            continue
        a, b = t["data_offsets"]
        data = raw[8 + n + a:8 + n + b]
        if t["dtype"] == "BF16":
            x = (np.frombuffer(data, np.uint16).astype(np.uint32) << 16).view(np.float32)
        else:
            x = np.frombuffer(data, TYPES[t["dtype"]])
        out[name] = x.reshape(t["shape"])
    return out, head.get("__metadata__", {})


def rotation(r):
    """[n,3] axis-angle -> [n,3,3], with the published 1e-8 added to each component."""
    a = np.linalg.norm(r + 1e-8, axis=1)
    k = r / a[:, None]
    x = np.zeros((len(r), 3, 3))
    x[:, 0, 1], x[:, 0, 2], x[:, 1, 2] = -k[:, 2], k[:, 1], -k[:, 0]
    x -= x.transpose(0, 2, 1)
    s, c = np.sin(a)[:, None, None], np.cos(a)[:, None, None]
    return np.eye(3) + s * x + (1 - c) * (x @ x)


class Head:
    """The vertices of a head file's regions, posed."""

    def __init__(self, path):
        t, self.meta = read_safetensors(path)
        self.regions, at = {}, 0
        ids = []
        for name, v in sorted(t.items()):
            if name.startswith("region."):
                self.regions[name[7:]] = np.arange(at, at + v.size)
                ids.append(v.ravel())
                at += v.size
        ids = np.concatenate(ids).astype(int)
        g = "flame_model."
        dirs = t[g + "shapedirs"][:, :, -100:].astype(np.float64)
        v = t[g + "v_template"].astype(np.float64)
        reg = t[g + "J_regressor"].astype(np.float64)
        self.joints, self.joint_dirs = reg @ v, np.einsum("jv,vck->jck", reg, dirs)
        self.v, self.dirs = v[ids], dirs[ids]
        self.jaw_dirs = t[g + "posedirs"][ids][:, :, 9:18].astype(np.float64)
        self.weights = t[g + "weights"][ids].astype(np.float64)

    def pose(self, motion):
        """motion [n,106] -> region vertices [n, all regions, 3] in metres, global rotation left out."""
        m = np.asarray(motion, np.float64)
        vs = self.v + np.einsum("vck,nk->nvc", self.dirs, m[:, :100])
        joints = self.joints + np.einsum("jck,nk->njc", self.joint_dirs, m[:, :100])
        r = rotation(m[:, 103:106])
        vp = vs + np.einsum("vck,nk->nvc", self.jaw_dirs, (r - np.eye(3)).reshape(len(m), 9))
        jaw = joints[:, 2:3]
        moved = np.einsum("nij,nvj->nvi", r, vp - jaw) + jaw
        w = self.weights[None, :, 2:3]
        return vp * (1 - w) + moved * w

    def measures(self, motion):
        """As `measures_of` for motion [n,106], and turn: the head's rotation [n,3] in degrees."""
        return {**measures_of(self.pose(motion), self.regions), "turn": np.degrees(np.asarray(motion, float)[:, 100:103])}


def upright(vertices):
    """Vertices [n,V,3] turned into the first frame's orientation (Kabsch over all vertices), and the rotation that
    is taken away as an axis times degrees [n,3]."""
    c = vertices - vertices.mean(1, keepdims=True)
    u, _, vt = np.linalg.svd(np.einsum("nvi,vj->nij", c, c[0]))
    d = np.sign(np.linalg.det(u @ vt))
    u[:, :, 2] *= d[:, None]
    r = u @ vt
    axis = np.stack([r[:, 2, 1] - r[:, 1, 2], r[:, 0, 2] - r[:, 2, 0], r[:, 1, 0] - r[:, 0, 1]], 1) / 2
    sine = np.linalg.norm(axis, axis=1, keepdims=True)
    turn = np.degrees(np.arcsin(np.clip(sine, 0, 1))) * axis / np.maximum(sine, 1e-9)  # of less than a quarter
    return np.einsum("nvi,nij->nvj", c, r), turn


def measures_of(v, regions):
    """From upright vertices [n,V,3]: dict of gap, width, lid (opening of the lids), mouth ([n,k] mouth points),
    lip_to_teeth (lower lip below the edge of the upper teeth), in mm."""
    mm = 1000.0
    up, low = v[:, regions["inner_lip_upper"]], v[:, regions["inner_lip_lower"]]
    gap = np.maximum((up[..., 1] - low[..., 1]).mean(1), 0) * mm
    corners = v[:, regions["mouth_corners"]]
    width = np.linalg.norm(corners[:, 0] - corners[:, 1], axis=1) * mm
    lid = np.mean([(v[:, regions[f"eyelid_upper_{s}"], 1] - v[:, regions[f"eyelid_lower_{s}"], 1]).mean(1)
                   for s in ("left", "right")], axis=0) * mm
    mouth = np.concatenate([up.reshape(len(v), -1), low.reshape(len(v), -1), corners.reshape(len(v), -1)], 1) * mm
    low_teeth = (v[:, regions["upper_teeth_edge"], 1].mean(1) - v[:, regions["lower_lip"], 1].mean(1)) * mm
    return {"gap": gap, "width": width, "lid": lid, "mouth": mouth, "lip_to_teeth": low_teeth}
