#!/usr/bin/env python3
"""The public CTGAN and TVAE against rowforge: milliseconds a step on the same table and cores.

usage: run_reference.py ROWFORGE TABLE.csv [--epochs 3] [--turns 2] [--threads 1 2]

Needs the ctgan package (README.md beside this file says how). Prints one JSON document.
"""
import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

import numpy
import pandas
import torch
import ctgan
from ctgan.synthesizers import ctgan as ctgan_module, tvae as tvae_module

BATCH = 500


class Cached:
    """Stands where the reference makes its DataTransformer: fitted once, its result kept."""

    ready = None
    encoded = None

    @classmethod
    def prepare(cls, transformer_class, table, discrete):
        cls.ready = transformer_class()
        cls.ready.fit(table, discrete)
        cls.encoded = cls.ready.transform(table)

    def __getattr__(self, name):
        return getattr(Cached.ready, name)

    def fit(self, *_):
        pass

    def transform(self, *_):
        return Cached.encoded


def clocked(times):
    """A tqdm that notes the time at the beginning of every epoch and at the end."""

    class Clock:
        def __init__(self, iterable, **_):
            self.iterable = iterable

        def __iter__(self):
            for item in self.iterable:
                times.append(time.perf_counter())
                yield item
            times.append(time.perf_counter())

        def set_description(self, *_):
            pass

    return Clock


def reference_ms(model, table, discrete, epochs, threads):
    """Milliseconds a step, median over the epochs after the first."""
    times = []
    torch.set_num_threads(threads)
    module = ctgan_module if model == "ctgan" else tvae_module
    module.DataTransformer = Cached
    module.tqdm = clocked(times)
    options = {"epochs": epochs + 1, "batch_size": BATCH, "verbose": False}
    try:
        trainer = (ctgan.CTGAN if model == "ctgan" else ctgan.TVAE)(enable_gpu=False, **options)
    except TypeError:
        trainer = (ctgan.CTGAN if model == "ctgan" else ctgan.TVAE)(cuda=False, **options)
    trainer.fit(table, discrete)
    took = [b - a for a, b in zip(times[1:], times[2:])]
    assert len(took) == epochs, "the reference did not run the epochs that were asked for"
    return statistics.median(took) / steps(model, len(table)) * 1e3


def steps(model, n_rows):
    return max(n_rows // BATCH, 1) if model == "ctgan" else -(-n_rows // BATCH)


def rowforge_ms(rowforge, model, path, n_rows, epochs, threads):
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "model.rfm")
        done = subprocess.run(
            [rowforge, "fit", path, "-o", out, "--model", model, "--epochs", str(epochs), "--set", f"batch_size={BATCH}",
             "--threads", str(threads), "--seed", "1", "--json", "--quiet"],
            stdout=subprocess.PIPE, check=True)
        return json.loads(done.stdout)["train_seconds"] * 1e3 / (epochs * steps(model, n_rows))


def bind(n):
    """To n cores; child processes inherit it."""
    cores = sorted(os.sched_getaffinity(0) if bind.all is None else bind.all)
    bind.all = cores
    os.sched_setaffinity(0, cores[:n])


bind.all = None


def blas():
    """What PyTorch multiplies with: its build's BLAS_INFO and its oneDNN."""
    text = torch.__config__.show()
    found = re.findall(r"BLAS_INFO=(\w+)", text) + re.findall(r"MKL-DNN (v[\d.]+)", text)
    return ", ".join(found) or "unknown"


def compare(model, arguments, table, path, discrete, threads):
    ours, theirs = [], []
    bind(threads)
    for _ in range(arguments.turns):
        ours.append(rowforge_ms(arguments.rowforge, model, path, len(table), 10 * arguments.epochs, threads))
        theirs.append(reference_ms(model, table, discrete, arguments.epochs, threads))
    bind(len(bind.all))
    return {"name": f"{model}, {threads} thread{'s' if threads > 1 else ''}",
            "rowforge_ms": round(statistics.median(ours), 3), "reference_ms": round(statistics.median(theirs), 3),
            "ratio": round(statistics.median(theirs) / statistics.median(ours), 2),
            "rowforge_all_ms": [round(x, 3) for x in ours], "reference_all_ms": [round(x, 3) for x in theirs]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("rowforge")
    parser.add_argument("table")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    table = pandas.read_csv(arguments.table, skipinitialspace=True, keep_default_na=False, na_values=[""]).dropna()
    discrete = [name for name in table.columns if table[name].dtype == object]
    torch.manual_seed(1)
    numpy.random.seed(1)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "table.csv")
        table.to_csv(path, index=False)
        Cached.prepare(ctgan_module.DataTransformer, table, discrete)
        results = [compare(model, arguments, table, path, discrete, threads)
                   for threads in arguments.threads if threads <= os.cpu_count() for model in ("ctgan", "tvae")]
    json.dump({"peer": {"ctgan": getattr(ctgan, "__version__", "?"), "torch": torch.__version__, "blas": blas(),
                        "python": platform.python_version(), "rows": len(table), "width": int(Cached.encoded.shape[1])},
               "steps": results}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
