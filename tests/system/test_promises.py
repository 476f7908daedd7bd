"""What a seed, a condition and a checkpoint promise."""
import collections
import os
import signal
import subprocess
import time
import unittest

from driver import BINARY, Case, people, read_bytes, read_csv, run, write_csv


class Seeds(Case):
    def synth(self, name, *words):
        self.ok("synth", self.path("people.csv"), "-o", self.path(name), "--epochs", 3, "--set", "batch_size=100", *words)
        return read_bytes(self.path(name))

    def test_the_same_bytes_for_any_number_of_threads(self):
        self.table(700)
        for model in ["ctgan", "tvae"]:
            with self.subTest(model=model):
                one = self.synth("1.csv", "--model", model, "--seed", 7, "--threads", 1)
                two = self.synth("2.csv", "--model", model, "--seed", 7, "--threads", 2)
                four = self.synth("4.csv", "--model", model, "--seed", 7, "--threads", 4)
                self.assertEqual(one, two)
                self.assertEqual(one, four)
                self.assertNotEqual(one, self.synth("8.csv", "--model", model, "--seed", 8))

    def test_the_same_bytes_on_every_path_of_the_processor(self):
        self.table(300)
        first = self.synth("d.csv", "--seed", 7)
        for path in ["avx2", "baseline"]:
            with self.subTest(path=path):
                name = f"{path}.csv"
                self.ok("synth", self.path("people.csv"), "-o", self.path(name), "--epochs", 3, "--set", "batch_size=100",
                        "--seed", 7, env={"ROWFORGE_CPU": path})
                self.assertEqual(read_bytes(self.path(name)), first)

    def test_a_kept_model_gives_the_rows_of_synth(self):
        self.table(300)
        rows = self.synth("o.csv", "--seed", 9)
        self.ok("fit", self.path("people.csv"), "-o", self.path("m.rfm"), "--epochs", 3, "--set", "batch_size=100", "--seed", 9)
        self.ok("sample", self.path("m.rfm"), "-o", self.path("s.csv"), "--seed", 9)
        self.assertEqual(read_bytes(self.path("s.csv")), rows)

    def test_more_rows_begin_with_the_same_rows(self):
        self.table(300)
        short = self.synth("s.csv", "--seed", 9, "--rows", 150)
        long = self.synth("l.csv", "--seed", 9, "--rows", 950)
        self.assertEqual(long[:len(short)], short)

    def test_a_seed_left_out_is_drawn_and_printed(self):
        self.table(100)
        _, err = self.ok("synth", self.path("people.csv"), "-o", self.path("a.csv"), "--epochs", 1)
        seed = err.split("seed ")[1].split()[0]
        self.ok("synth", self.path("people.csv"), "-o", self.path("b.csv"), "--epochs", 1, "--seed", seed)
        self.assertEqual(read_bytes(self.path("a.csv")), read_bytes(self.path("b.csv")))


class Columns(Case):
    def test_the_result_has_the_shape_of_the_table(self):
        rows = people(600)
        rows[0][7] = ""        # an empty name
        rows[0][8] = "region"  # a repeated one
        write_csv(self.path("in.csv"), rows)
        _, err = self.ok("synth", self.path("in.csv"), "-o", self.path("o.csv"), "--epochs", 30, "--set", "batch_size=100",
                         "--seed", 1)
        made = read_csv(self.path("o.csv"))
        self.assertEqual(made[0], rows[0])
        self.assertEqual(len(made), len(rows))
        self.assertIn("one value only", err)
        column = lambda table, i: [row[i] for row in table[1:]]
        self.assertEqual(len(set(column(made, 0))), 600, "ids are unique")
        self.assertFalse(set(column(made, 0)) & set(column(rows, 0)), "no id is copied")
        ages = [int(x) for x in column(made, 1)]
        self.assertGreaterEqual(min(ages), min(column(rows, 1)))
        self.assertLessEqual(max(ages), max(column(rows, 1)))
        self.assertTrue(set(column(made, 4)) <= set(column(rows, 4)))
        self.assertTrue(all(len(x) == 10 and x[4] == "-" for x in column(made, 6)))
        self.assertEqual(set(column(made, 8)), {"x"})

    def test_missing_cells_keep_their_company(self):
        write_csv(self.path("in.csv"), people(2000))
        self.ok("synth", self.path("in.csv"), "-o", self.path("o.csv"), "--model", "tvae", "--epochs", 60, "--seed", 2,
                "--set", "batch_size=100")
        rate = collections.defaultdict(list)
        for row in read_csv(self.path("o.csv"))[1:]:
            rate[row[3]].append(row[7] == "")
        share = {region: sum(missing) / len(missing) for region, missing in rate.items()}
        self.assertGreater(share["east"], 0.5, share)
        self.assertLess(share["north"], 0.3, share)

    def test_one_column_is_enough(self):
        for name, cells in {"number": range(50), "text": ["a", "b"] * 25}.items():
            write_csv(self.path("one.csv"), [[name]] + [[cell] for cell in cells])
            self.ok("synth", self.path("one.csv"), "-o", self.path("o.csv"), "--epochs", 1)
            self.assertEqual(len(read_csv(self.path("o.csv"))), 51)


class Conditions(Case):
    def test_every_row_meets_every_condition(self):
        self.table(800)
        for model in ["ctgan", "tvae"]:
            self.ok("fit", self.path("people.csv"), "-o", self.path("m.rfm"), "--model", model, "--epochs", 40, "--seed", 3,
                    "--set", "batch_size=100")
            for where in [{3: "east"}, {3: "south", 5: "yes"}, {5: "no"}]:
                with self.subTest(model=model, where=where):
                    names = people(1)[0]
                    words = [w for i, value in where.items() for w in ("--where", f"{names[i]}={value}")]
                    self.ok("sample", self.path("m.rfm"), "-n", 120, "-o", self.path("w.csv"), "--seed", 1, *words)
                    made = read_csv(self.path("w.csv"))
                    self.assertEqual(len(made), 121)
                    for row in made[1:]:
                        for i, value in where.items():
                            self.assertEqual(row[i], value)


class Resuming(Case):
    WORDS = ["--epochs", "80", "--set", "batch_size=100", "--seed", "11", "--threads", "2"]

    def start(self, *words):
        return subprocess.Popen([BINARY, "synth", self.path("people.csv"), "-o", self.path("o.csv"), *self.WORDS, *words],
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def undisturbed(self):
        self.ok("synth", self.path("people.csv"), "-o", self.path("want.csv"), *self.WORDS)
        return read_bytes(self.path("want.csv"))

    def stop_after_checkpoint(self, number):
        """Starts, waits for work to be under way, stops it with the signal; True when it was stopped in time."""
        process = self.start()
        time.sleep(1.0)
        process.send_signal(number)
        err = process.communicate()[1].decode()
        return process.returncode, err

    def test_an_interrupted_run_leaves_a_checkpoint_and_says_how_to_go_on(self):
        self.table(3000)
        want = self.undisturbed()
        status, err = self.stop_after_checkpoint(signal.SIGINT)
        if status == 0:
            self.skipTest("the machine was faster than the interruption")
        self.assertEqual(status, 130, err)
        self.assertIn("--resume", err)
        self.assertTrue(os.path.exists(self.path("o.csv.ckpt")))
        self.assertFalse(os.path.exists(self.path("o.csv")))
        self.ok("synth", self.path("people.csv"), "-o", self.path("o.csv"), *self.WORDS, "--resume")
        self.assertEqual(read_bytes(self.path("o.csv")), want)
        self.assertFalse(os.path.exists(self.path("o.csv.ckpt")))

    def test_a_killed_run_resumes_to_the_same_bytes(self):
        self.table(3000)
        want = self.undisturbed()
        status, err = self.stop_after_checkpoint(signal.SIGINT)
        if status == 0:
            self.skipTest("the machine was faster than the interruption")
        process = self.start("--resume")
        time.sleep(0.6)
        process.kill()
        process.communicate()
        self.ok("synth", self.path("people.csv"), "-o", self.path("o.csv"), *self.WORDS, "--resume", "--threads", "1")
        self.assertEqual(read_bytes(self.path("o.csv")), want)

    def test_rows_that_cannot_be_made_do_not_cost_the_training(self):
        self.table(3000)
        status, err = self.stop_after_checkpoint(signal.SIGINT)
        if status == 0:
            self.skipTest("the machine was faster than the interruption")
        status, _, err = run("synth", self.path("people.csv"), "-o", self.path("o.csv"), *self.WORDS, "--resume",
                             "--where", "region=north", "--where", "region=south")
        self.assertEqual(status, 1, err)
        self.assertIn("to go on from the last checkpoint", err)
        self.assertTrue(os.path.exists(self.path("o.csv.ckpt")))

    def test_resume_without_a_checkpoint_starts_anew_and_says_so(self):
        self.table(200)
        _, err = self.ok("synth", self.path("people.csv"), "-o", self.path("o.csv"), "--epochs", "1", "--resume")
        self.assertIn("anew", err)

    def test_a_checkpoint_of_other_parameters_is_refused(self):
        self.table(3000)
        status, _ = self.stop_after_checkpoint(signal.SIGINT)
        if status == 0:
            self.skipTest("the machine was faster than the interruption")
        words = list(self.WORDS)
        words[words.index("80")] = "81"
        status, _, err = run("synth", self.path("people.csv"), "-o", self.path("o.csv"), *words, "--resume")
        self.assertEqual(status, 2, err)

    def test_a_damaged_checkpoint_is_refused(self):
        self.table(200)
        self.file("o.csv.ckpt", b"rubbish" * 50)
        status, _, err = run("synth", self.path("people.csv"), "-o", self.path("o.csv"), "--resume", "--seed", "1")
        self.assertEqual(status, 3, err)
        self.assertIn("o.csv.ckpt", err)


if __name__ == "__main__":
    unittest.main()
