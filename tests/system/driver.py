"""What the system tests share: running the real binary, and small tables to run it on.

ROWFORGE_BIN names the binary (default: build/rowforge beside the tests).
ROWFORGE_DATA names a folder of real tables; tests that want one skip when it is not there.
"""
import csv
import os
import random
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("ROWFORGE_BIN", os.path.join(ROOT, "build", "rowforge"))
DATA = os.environ.get("ROWFORGE_DATA", os.path.join(ROOT, "..", "shared", "data"))


def run(*words, stdin=None, timeout=300, env=None, cwd=None):
    """Runs rowforge; returns (exit status, standard output, standard error) as bytes, bytes, text."""
    environment = dict(os.environ)
    environment.update(env or {})
    done = subprocess.run([BINARY, *map(str, words)], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=timeout, env=environment, cwd=cwd, check=False)
    return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace")


def people(n_rows, seed=1):
    """A small table with every kind of column; region and income depend on each other, and so do the missing cells."""
    draw = random.Random(seed)
    rows = [["id", "age", "income", "region", "city", "member", "joined", "score", "always"]]
    for i in range(n_rows):
        region = draw.choices(["north", "south", "east"], [5, 3, 1])[0]
        city = {"north": ["Aa", "Bb"], "south": ["Cc", "Dd, upon \"Ee\""], "east": ["Ff"]}[region]
        age = min(90, max(18, int(draw.gauss(45, 14))))
        income = round(draw.gauss({"north": 30000, "south": 45000, "east": 70000}[region], 5000), 2)
        member = "yes" if draw.random() < age / 100 else "no"
        joined = f"20{draw.randint(10, 24):02d}-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}"
        score = "" if region == "east" or draw.random() < 0.05 else f"{draw.gauss(0, 1):.3f}"
        rows.append([f"C{100000 + i * 7}", age, income, region, draw.choice(city), member, joined, score, "x"])
    return rows


def write_csv(path, rows, **options):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n", **options).writerows(rows)
    return path


def read_csv(path, **options):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.reader(file, **options))


def read_bytes(path):
    with open(path, "rb") as file:
        return file.read()


class Case(unittest.TestCase):
    """A test with a folder of its own."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="rowforge test ")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def file(self, name, content):
        with open(self.path(name), "wb") as out:
            out.write(content if isinstance(content, bytes) else content.encode())
        return self.path(name)

    def table(self, n_rows=400, name="people.csv", seed=1):
        return write_csv(self.path(name), people(n_rows, seed))

    def real(self, name):
        path = os.path.join(DATA, name)
        if not os.path.exists(path):
            self.skipTest(f"{name} is not in the data folder (ROWFORGE_DATA)")
        return path

    def ok(self, *words, **options):
        status, out, err = run(*words, **options)
        self.assertEqual(status, 0, f"rowforge {' '.join(map(str, words))}\n{err}")
        return out, err

    def refused(self, expected, *words, saying=(), **options):
        """The command ends with this status, one sentence, and nothing written."""
        before = sorted(os.listdir(self.folder))
        status, _, err = run(*words, **options)
        self.assertEqual(status, expected, f"rowforge {' '.join(map(str, words))}\n{err}")
        lines = [line for line in err.splitlines() if line.startswith("rowforge ")]
        self.assertEqual(len(lines), 1, err)
        for part in [saying] if isinstance(saying, str) else saying:
            self.assertIn(part.lower(), err.lower())
        self.assertEqual(sorted(os.listdir(self.folder)), before, "something was left behind")
        return err
