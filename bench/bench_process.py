#!/usr/bin/env python3
"""Whole processes: how long they take and how much memory they hold. Standard library only.

usage: bench_process.py ROWFORGE ADULT.csv [--epochs 300] [--seeds 1] [--judge PYTHON] [--million]

Each result is checked before its figure is printed: the number of rows, the columns, the ranges. With --judge, PYTHON is an
interpreter that has the public sdmetrics package; it then judges every table too. Prints one JSON document.
"""
import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time


def measure(words):
    """Runs a command; returns (seconds, peak resident MB, standard output)."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(words, stdout=out, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - began
        if process.returncode != 0:
            raise SystemExit(f"{words} failed with {process.returncode}")
        out.seek(0)
        return seconds, usage.ru_maxrss / 1024, out.read()


def start_up(rowforge):
    times = [measure([rowforge, "--help"])[0] for _ in range(21)]
    return {"help_ms_median": round(statistics.median(times) * 1e3, 2), "runs": len(times)}


def check_rows(path, like, n_rows):
    """The synthetic file has the columns, the number of rows and the ranges of the real one; returns its rows."""
    with open(path, newline="") as file:
        made = list(csv.reader(file))
    with open(like, newline="") as file:
        real = list(csv.reader(file))
    assert made[0] == real[0], "other columns"
    assert len(made) - 1 == n_rows, f"{len(made) - 1} rows, {n_rows} wanted"
    for i, name in enumerate(real[0]):
        column = [row[i] for row in real[1:]]
        mine = {row[i] for row in made[1:]}
        try:
            low, high = min(map(float, column)), max(map(float, column))
        except ValueError:
            assert mine <= set(column), f"{name}: texts that the table does not have"
            continue
        assert all(low <= float(x) <= high for x in mine), f"{name}: out of range"
    return made, real


def countries(made, real):
    """How many categories of the widest column with at least 10 real rows appear."""
    if "native-country" not in real[0]:
        return None
    i = real[0].index("native-country")
    counts = {}
    for row in real[1:]:
        counts[row[i]] = counts.get(row[i], 0) + 1
    wanted = {name for name, n in counts.items() if n >= 10}
    return f"{len(wanted & {row[i] for row in made[1:]})} of {len(wanted)}"


JUDGE = r"""
import json, sys, warnings
warnings.filterwarnings("ignore")
import pandas as pd
from sdmetrics.reports.single_table import QualityReport
real, made = pd.read_csv(sys.argv[1]), pd.read_csv(sys.argv[2])
kinds = {c: {"sdtype": "numerical" if pd.api.types.is_numeric_dtype(real[c]) else "categorical"} for c in real}
report = QualityReport()
report.generate(real, made, {"columns": kinds}, verbose=False)
scores = dict(zip(*[report.get_properties()[c] for c in ("Property", "Score")]))
print(json.dumps({"overall": report.get_score(), "shapes": scores["Column Shapes"], "trends": scores["Column Pair Trends"]}))
"""


def scores_of(quality):
    names = {"overall": "overall", "shapes": "column_shapes", "trends": "column_pair_trends",
             "trends_all_pairs": "column_pair_trends_ungated"}
    return {name: quality[ours] for name, ours in names.items()}


def train(rowforge, table, model, epochs, seed, folder, judge):
    out, report = os.path.join(folder, "out.csv"), os.path.join(folder, "report.json")
    words = [rowforge, "synth", table, "-o", out, "--model", model, "--epochs", str(epochs), "--set", "batch_size=500",
             "--seed", str(seed), "--report", report, "--json"]
    seconds, peak_mb, text = measure(words)
    document = json.loads(text)
    made, real = check_rows(out, table, document["training_rows"])
    result = {"model": model, "seed": seed, "epochs": epochs, "device": document["device"],
              "train_s": round(document["train_seconds"], 2), "process_s": round(seconds, 2), "peak_mb": round(peak_mb, 1),
              "countries": countries(made, real), "ours": scores_of(document["quality"]["quality"])}
    if judge:
        result["sdmetrics"] = json.loads(subprocess.run([judge, "-c", JUDGE, table, out], check=True,
                                                        stdout=subprocess.PIPE).stdout)
    return result


def plain_memory(rowforge, table, folder):
    """Peak memory of synth without a report, two epochs: the training state is whole from the first step."""
    out = os.path.join(folder, "out.csv")
    _, peak_mb, _ = measure([rowforge, "synth", table, "-o", out, "--epochs", "2", "--set", "batch_size=500", "--seed", "1"])
    check_rows(out, table, sum(1 for _ in open(table)) - 1)
    return round(peak_mb, 1)


def sampling(rowforge, table, folder, n_rows=1000000):
    model, out = os.path.join(folder, "m.rfm"), os.path.join(folder, "many.csv")
    measure([rowforge, "fit", table, "-o", model, "--epochs", "1", "--set", "batch_size=500", "--seed", "1"])
    times = []
    for _ in range(3):
        seconds, peak_mb, _ = measure([rowforge, "sample", model, "-n", str(n_rows), "-o", out, "--seed", "1"])
        times.append(seconds)
    with open(out, "rb") as file:
        assert sum(1 for _ in file) == n_rows + 1
    return {"rows": n_rows, "rows_per_s_median": round(n_rows / statistics.median(times)), "peak_mb": round(peak_mb, 1)}


def million(rowforge, folder):
    table, out = os.path.join(folder, "million.csv"), os.path.join(folder, "out.csv")
    measure([rowforge, "demo-data", table, "--rows", "1000000"])
    _, peak_mb, _ = measure([rowforge, "synth", table, "-o", out, "--epochs", "1", "--seed", "1"])
    with open(out, "rb") as file:
        assert sum(1 for _ in file) == 1000001
    return {"table_mb": round(os.path.getsize(table) / 1e6, 1), "peak_mb": round(peak_mb, 1)}


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("rowforge")
    parse.add_argument("table")
    parse.add_argument("--epochs", type=int, default=300)
    parse.add_argument("--seeds", type=int, default=1)
    parse.add_argument("--judge", help="a Python that has sdmetrics")
    parse.add_argument("--million", action="store_true", help="also a table of a million rows")
    args = parse.parse_args()
    result = {"start": start_up(args.rowforge), "runs": []}
    with tempfile.TemporaryDirectory() as folder:
        result["synth_peak_mb"] = plain_memory(args.rowforge, args.table, folder)
        result["sampling"] = sampling(args.rowforge, args.table, folder)
        if args.million:
            result["million"] = million(args.rowforge, folder)
        for model in ["ctgan", "tvae"]:
            for seed in range(1, args.seeds + 1):
                result["runs"].append(train(args.rowforge, args.table, model, args.epochs, seed, folder, args.judge))
                print(json.dumps(result["runs"][-1]), file=sys.stderr)
    json.dump(result, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
