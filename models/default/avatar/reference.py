# SPDX-License-Identifier: LGPL-2.1-or-later
"""avatar.safetensors drawn as FORMAT.md says, slowly, in NumPy and PyTorch."""
import numpy as np
import torch
import torch.nn.functional as F

import bind
import make
from scene import Head
from styleunet import StyleUNet


class Avatar:
    def __init__(self, path):
        self.tensors, self.config = make.load(path)
        self.head = Head()
        self.net = StyleUNet(self.config['network_side'])
        state = {k[10:]: torch.from_numpy(x.copy()) for k, x in self.tensors.items() if k.startswith('upsampler.') and '.noises.' not in k}
        self.net.load_state_dict(state)
        self.net.eval()

    def draw(self, motion, side=None, network=True):
        """dict of image [S,S,32], T [S,S], input [32,R,R], output [3,R,R], rgb [S,S,3] (over black, clamped)."""
        side = side or self.config['side']
        image, t = bind.draw(self.tensors, self.head.f, self.head.pose(np.asarray(motion, np.float64)), self.config, side)
        x = torch.from_numpy(image.transpose(2, 0, 1).copy())[None]
        while x.shape[2] > self.config['network_side']:
            x = F.avg_pool2d(x, 2)
        with torch.no_grad():
            y = self.net(x)
            d = 2 * y - 1
            while d.shape[2] < side:
                d = F.interpolate(d, scale_factor=2, mode='bilinear', align_corners=False)
        d = d[0].numpy().transpose(1, 2, 0) * network
        rgb = np.clip(image[..., :3] + (1 - t)[..., None] * d, 0, 1)
        return {'image': image, 'T': t, 'input': x[0].numpy(), 'output': y[0].numpy(), 'rgb': rgb}

    def picture(self, motion, background=(1, 1, 1), **how):
        """[S,S,3] uint8 over an opaque background."""
        r = self.draw(motion, **how)
        return np.floor(255 * (r['rgb'] + r['T'][..., None] * np.asarray(background)) + .5).clip(0, 255).astype(np.uint8)
