"""Counts single tests, for script/test.

    tally.py ctest RESULTS.xml               the cmocka cases inside what ctest wrote with --output-junit
    tally.py unittest FOLDER [PATTERN …]     runs Python's tests (default pattern test_*.py) and counts them;
                                             a class is run by one process, and there are as many as processors

Failures are printed so that a person can read them; the last line is "N N N": passed, failed, skipped.
"""
import concurrent.futures
import multiprocessing
import os
import re
import sys
import time
import unittest
import xml.etree.ElementTree as xml


def indent(text):
    return "".join(f"    {line}\n" for line in text.strip().splitlines())


# ---- cmocka, as TAP inside ctest's JUnit file --------------------------------------------------------


def read_tap(text):
    """(planned, passed, [(name, notes)] of failures, skipped) of one program's output."""
    plan, passed, failures, skipped, notes = None, 0, [], 0, None
    for line in text.splitlines():
        if match := re.match(r"1\.\.(\d+)$", line):
            plan = (plan or 0) + int(match[1])
        elif re.match(r"(not )?ok \d+ # SKIP", line):
            skipped += 1
        elif re.match(r"ok \d+ - ", line):
            passed += 1
        elif match := re.match(r"not ok \d+ - (.*)", line):
            notes = []
            failures.append((match[1], notes))
        elif notes is not None and line.startswith("# "):
            notes.append(line[2:])
        if re.match(r"(not )?ok ", line) and not line.startswith("not ok"):
            notes = None
    return plan, passed, failures, skipped


def count_program(case):
    """(passed, failed, skipped) of one test program; prints what failed."""
    name, status = case.get("name"), case.get("status")
    text = case.findtext("system-out") or ""
    plan, passed, failures, skipped = read_tap(text)
    if status == "notrun" or case.find("skipped") is not None and plan is None:
        print(f"{name}: was not run")
        return 0, 1, 0
    for test, notes in failures:
        print(f"{name}: {test} FAILED\n{indent(chr(10).join(notes))}", end="")
    n_failed = len(failures)
    lost = (plan or 0) - passed - n_failed - skipped
    if plan is None and status == "run":
        passed += 1  # a program of another kind, judged by its exit status
    elif lost > 0 or plan is None or (status != "run" and n_failed == 0):
        print(f"{name}: ended early, after {float(case.get('time')):.1f} s\n{indent(text[-6000:])}", end="")
        n_failed += max(lost, 1)
    return passed, n_failed, skipped


def count_ctest(path):
    totals = [0, 0, 0]
    for case in xml.parse(path).getroot().iter("testcase"):
        totals = [a + b for a, b in zip(totals, count_program(case))]
    return totals


# ---- Python -----------------------------------------------------------------------------------------


class Result(unittest.TestResult):
    """Prints a line for each test as it ends; a test whose parts fail counts once."""

    def __init__(self):
        super().__init__()
        self.bad, self.left_out, self.began = {}, {}, 0.0

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()

    def note(self, test, error):
        self.bad.setdefault(test.id(), []).append(self._exc_info_to_string(error, test))

    def addError(self, test, err):
        super().addError(test, err)
        self.note(test, err)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.note(test, err)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.bad.setdefault(test.id(), []).append(f"{subtest}\n{self._exc_info_to_string(err, test)}")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.left_out[test.id()] = reason

    def stopTest(self, test):
        super().stopTest(test)
        name, seconds = test.id(), time.monotonic() - self.began
        if name in self.bad:
            print(f"{name} FAILED ({seconds:.1f} s)\n{indent(chr(10).join(self.bad[name]))}", end="", flush=True)
        elif name in self.left_out:
            print(f"{name} skipped: {self.left_out[name]}", flush=True)
        elif seconds > 5:
            print(f"{name} ok ({seconds:.1f} s)", flush=True)


def classes_of(suite):
    """The suites below `suite` that hold tests themselves: one a class, or a file that cannot be read."""
    parts = list(suite)
    if any(isinstance(part, unittest.TestCase) for part in parts):
        yield suite
    else:
        for part in parts:
            yield from classes_of(part)


def run_class(number):
    """In a process of its own: the counts of one class."""
    result = Result()
    classes[number].run(result)
    for name in result.bad.keys() - {""}:
        if "setUpClass" in name or "setUpModule" in name:  # never came to stopTest
            print(f"{name} FAILED\n{indent(chr(10).join(result.bad[name]))}", end="", flush=True)
            result.testsRun += 1
    skipped = len(result.left_out.keys() - result.bad.keys())
    failed = len(result.bad)
    return max(result.testsRun - failed - skipped, 0), failed, skipped


classes = []  # found before the processes are forked


def count_unittest(folder, patterns):
    for pattern in patterns:
        classes.extend(classes_of(unittest.defaultTestLoader.discover(folder, pattern=pattern)))
    totals = [0, 0, 0]
    fork = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(len(os.sched_getaffinity(0)), mp_context=fork) as pool:
        waiting = [pool.submit(run_class, i) for i in range(len(classes))]
        for answer, suite in zip(waiting, classes):
            try:
                counts = answer.result()
            except concurrent.futures.BrokenExecutor as error:
                print(f"{suite} FAILED: {error}")
                counts = 0, suite.countTestCases(), 0
            totals = [a + b for a, b in zip(totals, counts)]
    return totals


def main(words):
    if len(words) == 3 and words[1] == "ctest":
        totals = count_ctest(words[2])
    elif len(words) >= 3 and words[1] == "unittest":
        totals = count_unittest(words[2], words[3:] or ["test_*.py"])
    else:
        sys.exit(__doc__)
    print(*totals)


if __name__ == "__main__":
    main(sys.argv)
