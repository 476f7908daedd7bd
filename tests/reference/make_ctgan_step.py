#!/usr/bin/env python3
"""Three CTGAN steps in PyTorch (double precision, gradients and penalty by autograd) on the noise that rowforge draws.

    python3 make_ctgan_step.py          # needs numpy and torch; writes ctgan_step_*.txt beside this file

Networks and losses after Xu et al. (2019), Lin et al. (2018) and Gulrajani et al. (2017), written plainly: nothing here knows
how rowforge lays out or shares its work. The one liberty: the generator's layers have no bias before the batch normalisation,
which would subtract it."""

import os

import numpy as np
import torch
import torch.nn.functional as F

import rowforge_draws as draws
from golden_table import CODE, SCALAR, Table

torch.set_default_dtype(torch.float64)
HERE = os.path.dirname(os.path.abspath(__file__))
TENSORS_MAX = 48


class Adam:
    def __init__(self, tensors, lr, decay):
        self.tensors, self.lr, self.decay, self.t = tensors, lr, decay, 0
        self.m = [torch.zeros_like(w) for w in tensors]
        self.v = [torch.zeros_like(w) for w in tensors]

    def step(self):
        self.t += 1
        with torch.no_grad():
            for w, m, v in zip(self.tensors, self.m, self.v):
                g = (w.grad if w.grad is not None else torch.zeros_like(w)) + self.decay * w
                m.mul_(0.5).add_(g, alpha=0.5)
                v.mul_(0.9).add_(g * g, alpha=0.1)
                w -= self.lr * (m / (1 - 0.5**self.t)) / ((v / (1 - 0.9**self.t)).sqrt() + 1e-8)
                w.grad = None


class Ctgan:
    def __init__(self, table, seed, b, pac, z, generator_dim, critic_dim, critic_steps):
        self.t, self.seed, self.b, self.pac, self.z = table, seed, b, pac, z
        self.m, self.d, self.c, self.critic_steps = b // pac, table.width, table.condition_width, critic_steps
        self.generator_dim, self.critic_dim = generator_dim, critic_dim
        self.generator, self.critic = [], []
        width = z
        for h in generator_dim:
            self.linear(self.generator, 0, width, self.c, h, bias=False)
            self.generator += [torch.ones(h), torch.zeros(h)]
            width += h
        self.linear(self.generator, 0, width, self.c, self.d)
        width, conditions = pac * self.d, pac * self.c
        for h in critic_dim:
            self.linear(self.critic, TENSORS_MAX, width, conditions, h)
            width, conditions = h, 0
        self.linear(self.critic, TENSORS_MAX, width, 0, 1)
        for w in self.generator + self.critic:
            w.requires_grad_(True)
        self.adam_g = Adam(self.generator, 2e-4, 1e-6)
        self.adam_c = Adam(self.critic, 2e-4, 1e-6)
        counts = table.counts()
        self.cumulative = np.zeros(self.c)
        for j in range(len(table.offsets) - 1):
            lo, hi = table.offsets[j], table.offsets[j + 1]
            p = np.log(counts[lo:hi] + 1)
            self.cumulative[lo:hi] = np.cumsum(p / p.sum())
            self.cumulative[lo + np.max(np.nonzero(counts[lo:hi])[0]) : hi] = 1

    def linear(self, into, first, inputs, conditions, outputs, bias=True):
        """Weight, condition part when there is one, bias: uniform in +-1/sqrt(fan in), in the order that rowforge has."""
        bound = np.float32(1 / np.sqrt(inputs + conditions))
        for rows in [inputs] + ([conditions] if conditions else []) + ([0] if bias else []):
            purpose = draws.INIT + 64 * (first + len(into))
            shape = (rows, outputs) if rows else (outputs,)
            into.append(torch.tensor(draws.uniform(self.seed, 0, purpose, max(rows, 1) * outputs, -bound, bound).astype(float)).reshape(shape))

    def one_hot(self, entries):
        return F.one_hot(torch.tensor(entries), self.c).double()

    def draw_conditions(self, step, purpose):
        if not self.c:
            return None, None, torch.zeros(self.b, 0)
        columns, entries = draws.conditions(self.seed, step, purpose, self.b, self.t.offsets, self.cumulative)
        return columns, entries, self.one_hot(entries)

    def generate(self, step, noise, condition):
        w = iter(self.generator)
        x = torch.tensor(draws.normal(self.seed, step, noise, self.b, self.z))
        for _ in self.generator_dim:
            a = x @ next(w)
            if self.c:
                a = a + condition @ next(w)
            mean, variance = a.mean(0), a.var(0, unbiased=False)
            h = torch.relu(next(w) * (a - mean) / torch.sqrt(variance + 1e-5) + next(w))
            x = torch.cat([h, x], 1)
        logits = x @ next(w)
        if self.c:
            logits = logits + condition @ next(w)
        return logits + next(w)

    def activate(self, logits, step, purpose):
        g = torch.tensor(draws.gumbel(self.seed, step, purpose, self.b, self.d))
        out = []
        for kind, at, width, *_ in self.t.spans:
            part = logits[:, at : at + width]
            out.append(torch.tanh(part) if kind == SCALAR else torch.softmax((part + g[:, at : at + width]) / 0.2, 1))
        return torch.cat(out, 1)

    def judge(self, rows, conditions, step, purpose, block, blocks):
        """Scores of one block of packs; the masks of all blocks are drawn as one matrix."""
        w = iter(self.critic)
        x = rows.reshape(self.m, -1) @ next(w)
        if self.c:
            x = x + conditions.reshape(self.m, -1) @ next(w)
        x = x + next(w)
        for k, h in enumerate(self.critic_dim):
            if k > 0:
                x = x @ next(w) + next(w)
            keep = draws.keep_bits(self.seed, step, purpose + 64 * k, blocks * self.m, h)[block * self.m : (block + 1) * self.m]
            x = F.leaky_relu(x, 0.2) * torch.tensor(keep) * 2
        return x @ next(w) + next(w)

    def real_rows(self, step, entries):
        n, s = self.t.n_rows, self.seed
        if entries is None:
            return None, [draws.below64(*draws.row_words(s, step, draws.ROWS, i), n) for i in range(self.b)]
        order = draws.permutation(draws.block(s, step, draws.PERMUTE, 0), self.b)
        picked, rows = entries[order], []
        for i, e in enumerate(picked):
            j = max(j for j in range(len(self.t.offsets) - 1) if self.t.offsets[j] <= e)
            source = self.t.spans[self.t.condition_spans[j]][3]
            holders = np.nonzero(self.t.codes[:, source] == e - self.t.offsets[j])[0]
            rows.append(holders[draws.below64(*draws.row_words(s, step, draws.ROWS, i), len(holders))])
        return picked, rows

    def critic_step(self, step):
        _, entries, condition = self.draw_conditions(step, draws.COND_D)
        fake = self.activate(self.generate(step, draws.NOISE_D, condition), step, draws.GUMBEL_D).detach()
        picked, rows = self.real_rows(step, entries)
        real = torch.tensor(self.t.encoded(rows))
        condition2 = self.one_hot(picked) if self.c else condition
        alpha = torch.tensor(draws.uniform_open(draws.words(self.seed, step, draws.ALPHA, self.m)))
        alpha = alpha.repeat_interleave(self.pac)[:, None]
        between = (alpha * real + (1 - alpha) * fake).requires_grad_(True)
        between_c = (alpha * condition2 + (1 - alpha) * condition).requires_grad_(True)
        purpose = draws.DROPOUT_D1
        y_fake = self.judge(fake, condition, step, purpose, 0, 3)
        y_real = self.judge(real, condition2, step, purpose, 1, 3)
        y_between = self.judge(between, between_c, step, purpose, 2, 3)
        inputs = [between, between_c] if self.c else [between]
        g = torch.autograd.grad(y_between.sum(), inputs, create_graph=True)
        norm = torch.cat([x.reshape(self.m, -1) for x in g], 1).norm(2, 1)
        penalty = 10 * ((norm - 1) ** 2).mean()
        loss = y_fake.mean() - y_real.mean()
        (loss + penalty).backward()
        # mean(D(fake)) - mean(D(real)) does not depend on the last bias; autograd leaves rounding there.
        self.critic[-1].grad.zero_()
        self.adam_c.step()
        return loss.item()

    def generator_step(self, step):
        columns, entries, condition = self.draw_conditions(step, draws.COND_G)
        logits = self.generate(step, draws.NOISE_G, condition)
        fake = self.activate(logits, step, draws.GUMBEL_G)
        loss = -self.judge(fake, condition, step, draws.DROPOUT_G1, 0, 1).mean()
        for i in range(self.b if self.c else 0):
            _, at, width, *_ = self.t.spans[self.t.condition_spans[columns[i]]]
            target = torch.tensor([entries[i] - self.t.offsets[columns[i]]])
            loss = loss + F.cross_entropy(logits[i : i + 1, at : at + width], target) / self.b
        loss.backward()
        for w in self.critic:
            w.grad = None
        self.adam_g.step()
        return loss.item()

    def train(self, step):
        for k in range(self.critic_steps):
            critic = self.critic_step(step * self.critic_steps + k)
        return [critic, self.generator_step(step)]

    def state(self, golden, name):
        for net, tensors, adam in (("generator", self.generator, self.adam_g), ("critic", self.critic, self.adam_c)):
            golden.put(f"{name}_{net}_w", torch.cat([w.detach().reshape(-1) for w in tensors]))
            golden.put(f"{name}_{net}_m", torch.cat([m.reshape(-1) for m in adam.m]))


def make(name, table, **options):
    golden = draws.Golden(os.path.join(HERE, f"ctgan_step_{name}.txt"))
    golden.put("seed", [options["seed"]])
    golden.put("shape", [options[k] for k in ("b", "pac", "z", "critic_steps")])
    golden.put("generator_dim", options["generator_dim"])
    golden.put("discriminator_dim", options["critic_dim"])
    table.write(golden)
    model = Ctgan(table, **options)
    for step in range(3):
        golden.put(f"losses_{step}", model.train(step))
        if step == 0:
            model.state(golden, "first")
    model.state(golden, "last")


mixed = Table([("scalar",), ("code", 3, False), ("code", 4, True), ("scalar",), ("code", 2, False), ("code", 3, True)], 40, 1)
plain = Table([("code", 3, False), ("code", 2, False)], 30, 2)
make("mixed", mixed, seed=7, b=20, pac=2, z=5, generator_dim=(6, 5), critic_dim=(8, 7), critic_steps=1)
make("plain", plain, seed=8, b=12, pac=1, z=3, generator_dim=(4,), critic_dim=(5, 6, 3), critic_steps=2)
