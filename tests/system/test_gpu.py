"""The command line with a GPU, emulated: what it says, and what it does when the GPU fails."""
import json
import os
import unittest

from driver import BINARY, Case, read_bytes, read_csv, run

EMULATED = os.path.join(os.path.dirname(BINARY), "tests", "cuda", "librowforge_cuda_emulated.so")
SMALL = ("--model", "tvae", "--epochs", 3, "--set", "batch_size=100", "--set", "embedding_dim=8", "--set", "compress_dims=16,16",
         "--set", "decompress_dims=16,16", "--seed", 3)


@unittest.skipUnless(os.path.exists(EMULATED), "the emulated GPU was not built")
class Gpu(Case):
    def env(self, **settings):
        return {"ROWFORGE_CUDA_LIBRARY": EMULATED, **settings}

    def synth(self, name, *words, **settings):
        """(path of the result, exit status, what was said)"""
        out = self.path(name)
        status, _, said = run("synth", self.table(300), "-o", out, *SMALL, *words, env=self.env(**settings))
        return out, status, said

    def test_devices_names_the_gpu_or_says_why_there_is_none(self):
        for settings, wanted in (({}, b"cuda:0  emulated GPU"), ({"RF_EMU_DRIVER": "12000"}, b"too old"),
                                 ({"RF_EMU_DRIVER": "0"}, b"no NVIDIA driver"), ({"RF_EMU_DEVICES": "0"}, b"no GPU")):
            out, _ = self.ok("devices", env=self.env(**settings))
            self.assertIn(wanted, out)
        out, _ = self.ok("devices", "--json", env=self.env())
        self.assertEqual([d["name"] for d in json.loads(out)["devices"] if d["usable"]], ["cpu", "cuda:0"])

    def test_two_trainings_on_the_gpu_are_the_same_bytes(self):
        first, status, said = self.synth("one.csv", "--device", "cuda")
        self.assertEqual(status, 0, said)
        self.assertIn("cuda:0", said)
        second, _, _ = self.synth("two.csv", "--device", "cuda:0")
        self.assertEqual(read_bytes(first), read_bytes(second))

    def test_a_gpu_that_fails_is_told_and_auto_goes_on(self):
        _, status, said = self.synth("told.csv", "--device", "cuda", RF_EMU_FAIL="replay:3:719")
        self.assertEqual(status, 1, said)
        self.assertIn("cuda:0 failed", said)
        out, status, said = self.synth("auto.csv", RF_EMU_FAIL="replay:3:719")
        self.assertEqual(status, 0, said)
        self.assertIn("going on with cpu", said)
        self.assertGreaterEqual(len(read_csv(out)), 300)

    def test_a_gpu_with_too_little_memory_is_told_and_auto_goes_on(self):
        _, status, said = self.synth("told.csv", "--device", "cuda", RF_EMU_MEMORY="100000")
        self.assertEqual(status, 1, said)
        self.assertIn("GiB free", said)
        _, status, said = self.synth("auto.csv", RF_EMU_MEMORY="100000")
        self.assertEqual(status, 0, said)

    def test_wrong_words_are_refused(self):
        for word, wanted in (("--construction", "plain, graph or fused"), ("--precision", "3xtf32, tf32 or bf16")):
            _, status, said = self.synth("no.csv", word, "other")
            self.assertEqual(status, 2, said)
            self.assertIn(wanted, said)


if __name__ == "__main__":
    unittest.main()
