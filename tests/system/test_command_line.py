"""The command line as a person meets it."""
import json
import unittest

from driver import Case, read_csv, run

COMMANDS = ["synth", "fit", "sample", "evaluate", "profile", "demo-data", "devices"]


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

    def test_a_pipe_in_and_a_pipe_out(self):
        table = open(self.table(), "rb").read()
        out, _ = self.ok("synth", "-", "-o", "-", "--epochs", 1, "--rows", 25, "--seed", 1, stdin=table)
        self.assertEqual(len(out.decode().splitlines()), 26)

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
