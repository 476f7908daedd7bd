#!/usr/bin/env python3
"""Five TVAE steps in PyTorch (double precision, gradients by autograd) on the noise that rowforge draws.

    python3 make_tvae_step.py           # needs numpy and torch; writes tvae_step_*.txt beside this file

Networks and loss after Xu et al. (2019), section 4.4, as the public reference trains them: reconstruction weighted by 2, a sigma
for each scalar, the last batch of an epoch short."""

import os

import numpy as np
import torch
import torch.nn.functional as F

import rowforge_draws as draws
from golden_table import SCALAR, Table

torch.set_default_dtype(torch.float64)
HERE = os.path.dirname(os.path.abspath(__file__))
TENSORS_MAX = 48


class Tvae:
    def __init__(self, table, seed, b, z, compress, decompress):
        self.t, self.seed, self.b, self.z = table, seed, b, z
        self.compress, self.decompress = compress, decompress
        self.n_scalars = table.scalars.shape[1]
        self.decoder = self.stack(0, z, decompress, table.width)
        if self.n_scalars:
            self.decoder.append(torch.full((self.n_scalars,), float(np.float32(0.1)), requires_grad=True))
        self.encoder = self.stack(TENSORS_MAX, table.width, compress, 2 * z)
        self.tensors = self.decoder + self.encoder
        self.m = [torch.zeros_like(w) for w in self.tensors]
        self.v = [torch.zeros_like(w) for w in self.tensors]
        self.steps_per_epoch = -(-table.n_rows // b)

    def stack(self, first, inputs, dims, outputs):
        out = []
        for h in list(dims) + [outputs]:
            bound = np.float32(1 / np.sqrt(inputs))
            for shape in ((inputs, h), (h,)):
                purpose = draws.INIT + 64 * (first + len(out))
                values = draws.uniform(self.seed, 0, purpose, int(np.prod(shape)), -bound, bound)
                out.append(torch.tensor(values.astype(float)).reshape(shape).requires_grad_(True))
            inputs = h
        return out

    def forward(self, x, tensors, n_layers):
        for l in range(n_layers):
            x = torch.relu(x @ tensors[2 * l] + tensors[2 * l + 1])
        return x @ tensors[2 * n_layers] + tensors[2 * n_layers + 1]

    def batch(self, step):
        epoch, at = divmod(step, self.steps_per_epoch)
        order = draws.permutation(draws.block(self.seed, epoch, draws.SHUFFLE, 0), self.t.n_rows)
        return order[at * self.b : (at + 1) * self.b]

    def loss(self, step):
        rows = self.batch(step)
        n, x = len(rows), torch.tensor(self.t.encoded(rows))
        code = self.forward(x, self.encoder, len(self.compress))
        mu, logvar = code[:, : self.z], code[:, self.z :]
        eps = torch.tensor(draws.normal(self.seed, step, draws.LATENT, self.b, self.z))[:n]
        logits = self.forward(mu + eps * torch.exp(logvar / 2), self.decoder, len(self.decompress))
        recon = 0
        for kind, at, width, source, *_ in self.t.spans:
            if kind == SCALAR:
                sigma = self.decoder[-1][source]
                recon = recon + ((x[:, at] - torch.tanh(logits[:, at])) ** 2 / (2 * sigma**2)).sum() + n * torch.log(sigma)
            else:
                recon = recon + F.cross_entropy(logits[:, at : at + width], x[:, at : at + width].argmax(1), reduction="sum")
        kld = -0.5 * (1 + logvar - mu**2 - torch.exp(logvar)).sum()
        return 2 * recon / n + kld / n

    def train(self, step):
        loss = self.loss(step)
        loss.backward()
        with torch.no_grad():
            for w, m, v in zip(self.tensors, self.m, self.v):
                g = w.grad + 1e-5 * w
                m.mul_(0.9).add_(g, alpha=0.1)
                v.mul_(0.999).add_(g * g, alpha=0.001)
                w -= 1e-3 * (m / (1 - 0.9 ** (step + 1))) / ((v / (1 - 0.999 ** (step + 1))).sqrt() + 1e-8)
                w.grad = None
            if self.n_scalars:
                self.decoder[-1].clamp_(0.01, 1.0)
        return loss.item()

    def state(self, golden, name):
        n = len(self.decoder)
        for net, part in (("decoder", slice(0, n)), ("encoder", slice(n, None))):
            golden.put(f"{name}_{net}_w", torch.cat([w.detach().reshape(-1) for w in self.tensors[part]]))
            golden.put(f"{name}_{net}_m", torch.cat([m.reshape(-1) for m in self.m[part]]))


def make(name, table, **options):
    golden = draws.Golden(os.path.join(HERE, f"tvae_step_{name}.txt"))
    golden.put("seed", [options["seed"]])
    golden.put("shape", [options[k] for k in ("b", "z")])
    golden.put("compress_dims", options["compress"])
    golden.put("decompress_dims", options["decompress"])
    table.write(golden)
    model = Tvae(table, **options)
    for step in range(5):
        golden.put(f"losses_{step}", [model.train(step)])
        if step == 0:
            model.state(golden, "first")
    model.state(golden, "last")


mixed = Table([("scalar",), ("code", 3, False), ("code", 4, True), ("scalar",), ("code", 2, False), ("code", 3, True)], 45, 1)
plain = Table([("code", 3, False), ("code", 2, True)], 30, 2)
make("mixed", mixed, seed=9, b=20, z=4, compress=(7, 6), decompress=(5, 8))
make("plain", plain, seed=10, b=16, z=3, compress=(5,), decompress=(4, 6, 5))
