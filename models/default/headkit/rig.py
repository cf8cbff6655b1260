# SPDX-License-Identifier: LGPL-2.1-or-later
"""Joints, skin weights, the jaw's corrective, the joint regressor; and posing as in model spec, section 8."""
import numpy as np

PARENTS = [-1, 0, 1, 1, 1]
JAW_FULL = np.radians(24.7)      # the jaw angle that equals the unit jawOpen at 1


def rodrigues(r):
    r = np.asarray(r, float)
    a = np.linalg.norm(r + 1e-8)
    k = r / a
    x = np.array([[0, -k[2], k[1]], [k[2], 0, -k[0]], [-k[1], k[0], 0]])
    return np.eye(3) + np.sin(a) * x + (1 - np.cos(a)) * x @ x


def skin(vs, joints, weights, posedirs, pose):
    """Posed vertices.  pose: [5,3] axis-angle of root, neck, jaw, eyes."""
    R = [rodrigues(p) for p in pose]
    feature = np.concatenate([(R[j] - np.eye(3)).ravel() for j in range(1, 5)])
    vp = vs + posedirs @ feature
    G = [None] * 5
    for j, parent in enumerate(PARENTS):
        m = np.eye(4)
        m[:3, :3] = R[j]
        m[:3, 3] = joints[j] - (joints[parent] if parent >= 0 else 0)
        G[j] = m if parent < 0 else G[parent] @ m
    A = np.stack([np.c_[g[:3, :3], g[:3, 3] - g[:3, :3] @ joints[j]] for j, g in enumerate(G)])
    T = np.tensordot(weights, A, 1)
    return np.einsum('vij,vj->vi', T, np.c_[vp, np.ones(len(vp))])


def fit_hinge(p, d):
    """The turn about x that moves p [n,3] by d best: angle (radians), pivot (y, z)."""
    q = p + d
    a, b = p[:, 1:] - p[:, 1:].mean(0), q[:, 1:] - q[:, 1:].mean(0)
    angle = np.arctan2((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum(), (a * b).sum())
    c, s = np.cos(angle), np.sin(angle)
    R = np.array([[c, -s], [s, c]])
    t = q[:, 1:].mean(0) - R @ p[:, 1:].mean(0)
    return angle, np.linalg.solve(np.eye(2) - R, t)


def jaw_weights(v, opened, joint, full):
    """Share [V] of the hinge's turn in the displacement opened, 0..1."""
    R = rodrigues([full, 0, 0])
    arc = (v - joint) @ R.T + joint - v
    w = (arc * opened).sum(1) / np.maximum((arc * arc).sum(1), 1e-12)
    return np.clip(w, 0, 1)


def corrective(v, opened, joint, w, full):
    """posedirs [V,3,36] such that the jaw turned by full gives exactly v + opened."""
    R = rodrigues([full, 0, 0])
    M = (1 - w)[:, None, None] * np.eye(3) + w[:, None, None] * R
    t = w[:, None] * (joint - R @ joint)
    p = np.linalg.solve(M, (v + opened - t)[:, :, None])[:, :, 0] - v
    out = np.zeros((len(v), 3, 36))
    out[:, :, 9 + 7] = p / (2 * np.sin(full))        # R[2,1] = sin
    out[:, :, 9 + 5] = -p / (2 * np.sin(full))       # R[1,2] = -sin
    return out


def regressor(fields, still, joints, allowed):
    """Row [V] with the smallest norm over the vertices allowed: sums to 1, gives joints[k] from fields[:, k]
    for each k, and ignores the fields still.  fields [V,K,3], still [V,L,3], joints [K,3]."""
    i = np.nonzero(allowed)[0]
    A = [np.ones((1, len(i)))]
    b = [np.ones(1)]
    for k in range(fields.shape[1]):
        A.append(fields[i, k].T)
        b.append(joints[k])
    for k in range(still.shape[1]):
        if np.abs(still[i, k]).max() > 0:
            A.append(still[i, k].T)
            b.append(np.zeros(3))
    A, b = np.concatenate(A), np.concatenate(b)
    scale = 1 / np.maximum(np.linalg.norm(A, axis=1), 1e-9)
    x = np.linalg.lstsq(A * scale[:, None], b * scale, rcond=1e-10)[0]
    out = np.zeros(len(fields))
    out[i] = x
    return out, np.abs(A @ x - b).max()
