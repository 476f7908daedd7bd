"""The small coded tables that the step tests train on: spans side by side, as kernels/span.h has them."""

import numpy as np

SCALAR, CODE = 0, 1


class Table:
    """kinds: ("scalar",), ("code", width, conditioned)"""

    def __init__(self, kinds, n_rows, seed):
        rng = np.random.default_rng(seed)
        self.spans, self.offsets = [], [0]
        scalars, codes, at = [], [], 0
        self.condition_spans = []
        for kind in kinds:
            if kind[0] == "scalar":
                self.spans.append((SCALAR, at, 1, len(scalars), -1, 0))
                scalars.append(np.clip(rng.normal(0, 0.4, n_rows), -0.99, 0.99))
                at += 1
                continue
            width, conditioned = kind[1], kind[2]
            n = len(self.condition_spans)
            self.spans.append((CODE, at, width, len(codes), n if conditioned else -1, self.offsets[-1] if conditioned else 0))
            if conditioned:
                self.condition_spans.append(len(self.spans) - 1)
                self.offsets.append(self.offsets[-1] + width)
            codes.append(np.minimum((rng.random(n_rows) ** 2 * width).astype(int), width - 1))
            at += width
        self.n_rows, self.width = n_rows, at
        self.scalars = np.array(scalars, dtype=np.float32).reshape(len(scalars), n_rows).T
        self.codes = np.array(codes, dtype=np.int64).reshape(len(codes), n_rows).T
        self.condition_width = self.offsets[-1]

    def encoded(self, rows):
        out = np.zeros((len(rows), self.width))
        for kind, offset, _, source, _, _ in self.spans:
            for i, r in enumerate(rows):
                if kind == SCALAR:
                    out[i, offset] = self.scalars[r, source]
                else:
                    out[i, offset + self.codes[r, source]] = 1
        return out

    def counts(self):
        out = np.zeros(self.condition_width, dtype=np.int64)
        for s in self.condition_spans:
            _, _, _, source, _, first = self.spans[s]
            for r in range(self.n_rows):
                out[first + self.codes[r, source]] += 1
        return out

    def write(self, golden):
        golden.put("spans", [x for span in self.spans for x in span])
        golden.put("scalars", self.scalars)
        golden.put("codes", self.codes)
