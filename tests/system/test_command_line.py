"""The command line as a person meets it."""
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
import unittest

import driver
from driver import Case, read_bytes, read_csv, run

COMMANDS = ["synth", "fit", "sample", "evaluate", "profile", "demo-data", "devices"]


def on_terminal(columns, *words, terminal="xterm"):
    """What a terminal of that width is sent on standard error."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([driver.BINARY, *map(str, words)], stdout=subprocess.DEVNULL, stderr=theirs,
                               env=dict(os.environ, TERM=terminal))
    os.close(theirs)
    seen = b""
    while chunk := read_terminal(ours):
        seen += chunk
    os.close(ours)
    process.wait()
    return seen.decode()


def read_terminal(fd):
    try:
        return os.read(fd, 65536)
    except OSError:  # the other end is closed
        return b""


class Terminal(Case):
    def test_a_progress_line_fits_any_terminal(self):
        table = self.table(400)
        for columns in (200, 84, 40, 3):
            with self.subTest(columns=columns):
                sent = on_terminal(columns, "fit", table, "-o", self.path("o.rfm"), "--epochs", 40)
                lines = re.findall("\r([^\r\n]*%[^\r\n]*)\x1b\\[K", sent)
                self.assertTrue(lines, sent)
                self.assertLess(max(map(len, lines)), max(columns, 6))
                if columns > 80:
                    for part in ("epoch", "losses" if columns == 84 else "discriminator", "rows/s", "left"):
                        self.assertIn(part, [line for line in lines if "train" in line][-1])

    def test_a_dumb_terminal_gets_no_escapes(self):
        sent = on_terminal(80, "synth", self.table(400), "-o", self.path("o.csv"), "--epochs", 40, "--model", "tvae",
                           terminal="dumb")
        self.assertNotIn("\x1b", sent)


class CommandLine(Case):
    def test_help_lists_every_command(self):
        out, _ = self.ok("--help")
        for name in COMMANDS:
            self.assertIn(name.encode(), out)

    def test_each_command_explains_itself(self):
        for name in COMMANDS:
            out, _ = self.ok(name, "--help")
            self.assertIn(b"usage: rowforge " + name.encode(), out)
            self.assertIn(b"--json", out)

    def test_help_of_synth_lists_the_parameters_of_both_models(self):
        out, _ = self.ok("synth", "--help")
        for parameter in [b"generator_dim", b"discriminator_steps", b"compress_dims", b"loss_factor"]:
            self.assertIn(parameter, out)

    def test_nothing_at_all_is_wrong_use(self):
        self.assertEqual(run()[0], 2)

    def test_an_unknown_command_is_named(self):
        status, _, err = run("synthh")
        self.assertEqual(status, 2)
        self.assertIn("synth", err)

    def test_wrong_use_is_refused_before_any_work(self):
        table, out = self.table(30), self.path("o.csv")
        wrong = [
            (["--bogus"], "--bogus"),
            (["--epochz", "3"], "--epochs"),
            (["--model", "gan"], "gan"),
            (["--model", "circuit"], "not in this version"),
            (["--model", "forest"], "not in this version"),
            (["--set", "nothing=3"], "nothing"),
            (["--set", "pac=3.5"], "pac"),
            (["--set", "batch_size=501"], "batch_size"),
            (["--set", "batch_size=12", "--set", "pac=8"], "pac"),
            (["--set", "generator_dim=256,"], "generator_dim"),
            (["--set", "generator_lr=fast"], "generator_lr"),
            (["--set", "loss_factor=2"], "loss_factor"),
            (["--epochs", "0"], "epochs"),
            (["--epochs", "many"], "epochs"),
            (["--rows", "-4"], "--rows"),
            (["--rows", "1.5"], "--rows"),
            (["--seed", "-1"], "--seed"),
            (["--threads", "0"], "--threads"),
            (["--type", "age=number"], "number"),
            (["--type", "nobody=integer"], "nobody"),
            (["--type", "age"], "--type"),
            (["--delimiter", "x"], "--delimiter"),
            (["--device", "tpu"], "tpu"),
            (["--report", "report.pdf"], "report.pdf"),
            (["--epochs"], "--epochs"),
            (["second.csv"], "second.csv"),
        ]
        for words, part in wrong:
            with self.subTest(words=words):
                self.refused(2, "synth", table, "-o", out, *words, saying=part)

    def test_a_result_needs_a_name(self):
        self.refused(2, "synth", self.table(30), saying="-o")

    def test_standard_output_holds_the_table_or_the_document_but_not_both(self):
        self.refused(2, "synth", self.table(30), "-o", "-", "--json", saying="standard output")

    def test_json_is_one_document_and_progress_goes_elsewhere(self):
        out, _ = self.ok("synth", self.table(), "-o", self.path("o.csv"), "--epochs", 2, "--seed", 5, "--json",
                         "--report", self.path("r.json"))
        document = json.loads(out)
        self.assertEqual(document["seed"], 5)
        self.assertEqual(document["rows"], 400)
        self.assertEqual(document["params"]["epochs"], 2)
        self.assertIn("quality", document)

    def test_a_result_never_replaces_what_the_command_reads(self):
        table, other = self.table(60), self.table(60, name="other.csv", seed=2)
        link, model, report = self.path("link.csv"), self.path("m.rfm"), self.path("r.html")
        os.symlink(table, link)
        self.ok("fit", table, "-o", model, "--epochs", 1, "--quiet")
        before = {path: read_bytes(path) for path in (table, other, model)}
        for words in (["synth", table, "-o", table], ["synth", link, "-o", table], ["fit", table, "-o", link],
                      ["synth", table, "-o", other, "--holdout", other], ["sample", model, "-o", model]):
            with self.subTest(words=words):
                self.refused(2, *words, saying="another name")
        self.refused(2, "synth", table, "-o", report, "--report", report, saying="both")
        self.assertEqual(before, {path: read_bytes(path) for path in before})

    def test_what_comes_after_the_training_is_checked_before_it(self):
        table, out = self.table(60), self.path("o.csv")
        self.file("foreign.csv", "x,y\n1,2\n3,4\n")
        # so many epochs that nobody would wait for them
        for words, part in ((["--where", "region=west"], "west"), (["--holdout", self.path("no.csv")], "no.csv"),
                            (["--holdout", self.path("foreign.csv")], "none of the table's columns"),
                            (["--report", self.path("no/r.html")], "folder")):
            with self.subTest(words=words):
                self.refused(3, "synth", table, "-o", out, "--epochs", 1000000, *words, saying=part)

    def test_a_report_says_which_columns_the_other_table_lacks(self):
        table, part = self.table(60), self.file("part.csv", "age,region\n30,north\n40,south\n")
        _, err = self.ok("evaluate", table, part)
        self.assertIn("lacks 7 of the 9 columns (id, ", err)

    def test_a_report_counts_the_cells_that_it_cannot_read(self):
        real = self.file("real.csv", "a,b\n1,x\n2,y\n3,z\n4,x\n5,y\n")
        other = self.file("other.csv", "a,b\nabc,x\nq,y\n3,z\n,x\n7,y\n")
        _, err = self.ok("evaluate", real, other)
        self.assertIn("column a: 2 of 4 cells are not numbers and are left out", err)

    def test_a_pipe_in_and_a_pipe_out(self):
        table = open(self.table(), "rb").read()
        out, _ = self.ok("synth", "-", "-o", "-", "--epochs", 1, "--rows", 25, "--seed", 1, stdin=table)
        self.assertEqual(len(out.decode().splitlines()), 26)

    def test_a_name_that_is_not_utf8_leaves_the_document_whole(self):
        name = os.fsencode(self.path("x")) + b"\xff.csv"
        document = json.loads(run("profile", os.fsdecode(name), "--json")[1])
        self.assertIn("x?.csv does not exist", document["error"]["message"])

    def test_what_cannot_be_printed_is_an_error(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("there is no /dev/full here")
        for words in (["--help"], ["--version"], ["synth", "--help"], ["devices"], ["profile", self.table(30)]):
            with self.subTest(words=words), open("/dev/full", "w", encoding="ascii") as full:
                done = subprocess.run([driver.BINARY, *words], stdout=full, stderr=subprocess.PIPE, check=False)
                self.assertEqual(done.returncode, 1)
                self.assertIn(b"standard output", done.stderr)

    def test_a_reader_that_leaves_early_is_no_error(self):
        process = subprocess.Popen([driver.BINARY, "devices"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.close()
        self.assertEqual((process.wait(), process.stderr.read()), (0, b""))
        process.stderr.close()

    def test_devices_names_the_cpu(self):
        out, _ = self.ok("devices")
        self.assertIn(b"cpu", out)
        names = [device["name"] for device in json.loads(self.ok("devices", "--json")[0])["devices"]]
        self.assertIn("cpu", names)

    def test_a_device_that_is_not_here_is_refused_with_the_reason(self):
        self.refused(1, "synth", self.table(30), "-o", self.path("o.csv"), "--device", "cuda:7", saying="cuda")

    def test_demo_data_is_the_same_for_the_same_seed(self):
        self.ok("demo-data", self.path("a.csv"), "--rows", 500, "--seed", 3)
        self.ok("demo-data", self.path("b.csv"), "--rows", 500, "--seed", 3)
        self.ok("demo-data", self.path("c.csv"), "--rows", 500, "--seed", 4)
        a, b, c = (read_csv(self.path(f"{x}.csv")) for x in "abc")
        self.assertEqual(a, b)
        self.assertNotEqual(a, c)
        self.assertEqual(len(a), 501)

    def test_profile_tells_kinds(self):
        out, _ = self.ok("profile", self.table(), "--json")
        document = json.loads(out)
        kinds = {column["name"]: column["type"] for column in document["columns"]}
        self.assertEqual(kinds["id"], "id")
        self.assertEqual(kinds["age"], "integer")
        self.assertEqual(kinds["income"], "continuous")
        self.assertEqual(kinds["region"], "categorical")
        self.assertEqual(kinds["member"], "boolean")
        self.assertEqual(kinds["joined"], "datetime")


if __name__ == "__main__":
    unittest.main()
