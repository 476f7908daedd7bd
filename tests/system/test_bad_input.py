"""Input that cannot be used: one sentence, the right status, nothing half-written."""
import os
import unittest

from driver import Case, people, run, write_csv

GOOD = "a,b\n" + "".join(f"{i % 7}.5,{'xyz'[i % 3]}\n" for i in range(60))


class BadTables(Case):
    def bad(self, content, saying, *more):
        table = self.file("in.csv", content)
        self.refused(3, "synth", table, "-o", self.path("out.csv"), "--epochs", 1, *more, saying=saying)

    def test_a_missing_file(self):
        self.refused(3, "synth", self.path("nowhere.csv"), "-o", self.path("o.csv"), saying="nowhere.csv")

    def test_a_folder(self):
        os.mkdir(self.path("folder.csv"))
        self.refused(3, "synth", self.path("folder.csv"), "-o", self.path("o.csv"), saying="folder.csv")

    def test_an_empty_file(self):
        self.bad("", "empty")

    def test_a_header_alone(self):
        self.bad("a,b,c\n", "row")

    def test_one_row(self):
        self.bad("a,b\n1.5,x\n", "row")

    def test_a_ragged_row_names_its_line(self):
        self.bad("a,b\n1.5,x\n2.5\n3.5,y\n", "line 3")

    def test_an_unclosed_quote_names_its_line(self):
        self.bad('a,b\n1.5,x\n2.5,"y\n3.5,z\n', "line 3")

    def test_a_binary_file(self):
        self.bad(bytes(range(256)) * 20, ["in.csv"])

    def test_an_excel_file_by_another_name(self):
        self.bad(b"PK\x03\x04" + bytes(range(200)) * 9, ["in.csv"])

    def test_bytes_that_are_not_utf8_are_located(self):
        self.bad(b"name,b\nM\xfcller,1\nMeier,2\n", "byte")

    def test_more_columns_than_can_be(self):
        n = 10001
        self.bad(",".join(f"c{i}" for i in range(n)) + "\n" + (",".join("1" for _ in range(n)) + "\n") * 3, "10000")

    def test_an_infinite_number(self):
        for text in ["inf", "-inf", "Infinity", "1e999"]:
            with self.subTest(text=text):
                self.bad(f"a,b\n1.5,x\n2.5,y\n{text},x\n" + "3.5,y\n" * 30, "line 4", "--type", "a=continuous")

    def test_a_table_with_nothing_to_learn(self):
        self.bad("a,b\n" + "1,x\n" * 40, "modelled")

    def test_a_cell_that_does_not_fit_its_declared_kind(self):
        self.bad(GOOD, ["line 2", "b"], "--type", "b=integer")

    def test_formats_of_later_versions_are_named(self):
        for suffix in ["json", "jsonl", "xlsx", "parquet"]:
            with self.subTest(suffix=suffix):
                self.refused(3, "synth", self.file(f"in.{suffix}", GOOD), "-o", self.path("o.csv"), saying=suffix)
                self.refused(3, "synth", self.file("in.csv", GOOD), "-o", self.path(f"o.{suffix}"), saying=suffix)

    def test_bad_metadata(self):
        table = self.file("in.csv", GOOD)
        for content in ["", "{", "[1,2]", '{"columns": 3}', '{"columns": {"nobody": {"sdtype": "numerical"}}}',
                        '{"tables": {}}', "[" * 100000]:
            with self.subTest(content=content[:20]):
                self.refused(3, "synth", table, "-o", self.path("o.csv"), "--epochs", 1, "--metadata",
                             self.file("m.json", content), saying="m.json")

    def test_a_folder_for_the_result_that_does_not_exist(self):
        self.refused(3, "synth", self.file("in.csv", GOOD), "-o", self.path("no/where.csv"), saying="folder")

    def test_a_value_never_seen_in_a_condition(self):
        table = write_csv(self.path("p.csv"), people(200))
        for where in ["region=west", "age=200", "nobody=1", "region", "joined=2090-01-01"]:
            with self.subTest(where=where):
                status, _, err = run("synth", table, "-o", self.path("o.csv"), "--epochs", 1, "--where", where, "--quiet")
                self.assertIn(status, (2, 3), err)
                self.assertFalse(os.path.exists(self.path("o.csv")))

    def test_a_full_disk_fails_with_a_sentence(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("there is no /dev/full here")
        status, _, err = run("synth", self.file("in.csv", GOOD), "-o", "/dev/full", "--epochs", 1)
        self.assertEqual(status, 1, err)
        self.assertIn("full", err)


class BadModels(Case):
    @classmethod
    def setUpClass(cls):
        import shutil
        import tempfile
        cls.shared = tempfile.mkdtemp(prefix="rowforge model ")
        cls.addClassCleanup(shutil.rmtree, cls.shared, ignore_errors=True)
        table = write_csv(os.path.join(cls.shared, "p.csv"), people(200))
        model = os.path.join(cls.shared, "m.rfm")
        status, _, err = run("fit", table, "-o", model, "--epochs", 1, "--seed", 1)
        assert status == 0, err
        with open(model, "rb") as file:
            cls.model = file.read()

    def bad(self, content, saying=()):
        return self.refused(3, "sample", self.file("bad.rfm", content), "-n", 10, "-o", self.path("o.csv"),
                            saying=["bad.rfm", *([saying] if isinstance(saying, str) else saying)])

    def test_a_file_of_another_program(self):
        self.bad(b"\x7fELF" + bytes(5000))
        self.bad(b"a,b\n1,2\n")

    def test_an_empty_model(self):
        self.bad(b"")

    def test_a_truncated_model(self):
        for cut in [1, 7, 12, len(self.model) // 2, len(self.model) - 1]:
            with self.subTest(cut=cut):
                self.bad(self.model[:cut])

    def test_an_altered_model(self):
        for at in range(0, len(self.model), max(1, len(self.model) // 40)):
            with self.subTest(at=at):
                changed = bytearray(self.model)
                changed[at] ^= 0x10
                self.bad(bytes(changed))

    def test_an_altered_name_of_a_section_is_not_printed(self):
        err = self.bad(self.model.replace(b"TRAN", b"TR\xb0N", 1), saying="name of a section")
        self.assertTrue(err.isascii(), err)

    def test_a_model_with_a_tail(self):
        self.bad(self.model + b"more")

    def test_a_model_that_is_not_there(self):
        self.refused(3, "sample", self.path("none.rfm"), "-n", 5, "-o", self.path("o.csv"), saying="none.rfm")

    def test_a_model_file_holds_no_training_id(self):
        self.assertNotIn(b"C100007", self.model)


if __name__ == "__main__":
    unittest.main()
