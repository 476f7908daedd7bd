"""rowforge's addressed random numbers in numpy, written from the formulas in core/philox.h and kernels/, so that PyTorch can be
fed the very noise that the C code draws. Transcendentals are computed in double precision: they agree to float32 accuracy."""

import numpy as np

INIT, NOISE_D, NOISE_G, COND_D, COND_G, ROWS, PERMUTE, GUMBEL_D, GUMBEL_G, ALPHA = range(1, 11)
DROPOUT_D1, DROPOUT_D2, DROPOUT_G1, DROPOUT_G2, SHUFFLE, LATENT = range(11, 17)
MASK = 0xFFFFFFFF


def block(seed, step, purpose, index, trial=0):
    """Four words: Philox4x32-10."""
    c = [step & MASK, purpose & MASK, index & MASK, trial & MASK]
    k0, k1 = seed & MASK, seed >> 32
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k0, p1 & MASK, (p0 >> 32) ^ c[3] ^ k1, p0 & MASK]
        k0, k1 = (k0 + 0x9E3779B9) & MASK, (k1 + 0xBB67AE85) & MASK
    return c


def words(seed, step, purpose, n):
    out = []
    for b in range((n + 3) // 4):
        out += block(seed, step, purpose, b)
    return np.array(out[:n], dtype=np.uint64)


def uniform_open(w):
    return ((w >> np.uint64(9)).astype(np.float64) + 0.5) * 2.0**-23


def uniform(seed, step, purpose, n, lo, hi):
    return (np.float32(lo) + (np.float32(hi) - np.float32(lo)) * uniform_open(words(seed, step, purpose, n))).astype(np.float32)


def normal(seed, step, purpose, rows, cols):
    n = rows * cols
    u = uniform_open(words(seed, step, purpose, n + (n & 1))).reshape(-1, 2)
    radius = np.sqrt(-2 * np.log(u[:, 0]))
    pair = np.stack([radius * np.cos(2 * np.pi * u[:, 1]), radius * np.sin(2 * np.pi * u[:, 1])], axis=1)
    return pair.reshape(-1)[:n].reshape(rows, cols)


def gumbel(seed, step, purpose, rows, cols):
    u = uniform_open(words(seed, step, purpose, rows * cols))
    return (-np.log(-np.log(u))).reshape(rows, cols)


def keep_bits(seed, step, purpose, rows, cols):
    e = np.arange(rows * cols)
    w = words(seed, step, purpose, (rows * cols + 31) // 32)
    return ((w[e >> 5] >> (e & 31).astype(np.uint64)) & np.uint64(1)).astype(np.float64).reshape(rows, cols)


def conditions(seed, step, purpose, n, offsets, cumulative):
    columns, entries = [], []
    for r in range(n):
        w = block(seed, step, purpose, r)
        j = (w[0] * (len(offsets) - 1)) >> 32
        u = (w[1] + 0.5) * 2.0**-32
        columns.append(j)
        entries.append(next(e for e in range(offsets[j], offsets[j + 1]) if cumulative[e] > u))
    return np.array(columns), np.array(entries)


def below64(high, low, n):
    return (((high << 32) | low) * n) >> 64


def row_words(seed, step, purpose, i):
    w = block(seed, step, purpose, i // 2)
    return w[2 * (i % 2)], w[2 * (i % 2) + 1]


def _mix(x):
    x ^= x >> 16
    x = (x * 0x7FEB352D) & MASK
    x ^= x >> 15
    x = (x * 0x846CA68B) & MASK
    return x ^ (x >> 16)


def permutation(key, n):
    """Where 0..n-1 go: an 8-round Feistel network with cycle walking."""
    h = 1
    while h < 32 and (1 << (2 * h)) < n:
        h += 1
    low, out = (1 << h) - 1, []
    for i in range(n):
        while True:
            left, right = i >> h, i & low
            for r in range(8):
                mixed = _mix((right + key[r & 3] + 0x9E3779B9 * r) & MASK)
                left, right = right, left ^ ((mixed >> (32 - h)) & low)
            i = (left << h) | right
            if i < n:
                break
        out.append(i)
    return np.array(out)


class Golden:
    """A text file of named arrays: "name count value value ...", one line each."""

    def __init__(self, path):
        self.file = open(path, "w")

    def put(self, name, values):
        values = np.asarray(values, dtype=np.float64).reshape(-1)
        self.file.write(f"{name} {len(values)} " + " ".join(f"{v:.9g}" for v in values) + "\n")
