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

    def test_a_plugin_that_is_damaged_is_told_and_the_cpu_goes_on(self):
        whole, damaged = read_bytes(EMULATED), self.path("damaged.so")
        odd = bytes(range(1, 256)) * 64
        for content in (b"", b"ELF", whole[:60], whole[:1000], whole[:len(whole) // 3], whole[:-4096], whole[:1000] + odd + whole[1000 + len(odd):]):
            with open(damaged, "wb") as file:
                file.write(content)
            out, _ = self.ok("devices", "--json", env={"ROWFORGE_CUDA_LIBRARY": damaged})
            cpu, cuda = json.loads(out)["devices"]
            self.assertTrue(cpu["usable"])
            self.assertIn("CUDA side", cuda["reason"])
        _, status, said = self.synth("cpu.csv", "--device", "cuda", ROWFORGE_CUDA_LIBRARY=damaged)
        self.assertEqual(status, 1, said)
        out, _ = self.ok("devices", env={"ROWFORGE_CUDA_LIBRARY": "none"})
        self.assertIn(b"ROWFORGE_CUDA_LIBRARY is none", out)

    def test_a_gpu_that_fails_is_told_and_auto_goes_on(self):
        _, status, said = self.synth("told.csv", "--device", "cuda", RF_EMU_FAIL="replay:3:719")
        self.assertEqual(status, 1, said)
        self.assertIn("cuda:0 failed", said)
        out, status, said = self.synth("auto.csv", RF_EMU_FAIL="replay:3:719")
        self.assertEqual(status, 0, said)
        self.assertIn("going on with cpu", said)
        self.assertGreaterEqual(len(read_csv(out)), 300)

    def test_a_call_that_is_refused_is_not_tried_again_on_the_same_gpu(self):
        _, status, said = self.synth("told.csv", "--device", "cuda", RF_EMU_FAIL="launch:9:1")
        self.assertEqual(status, 1, said)
        self.assertNotIn("lost", said)
        _, status, said = self.synth("auto.csv", RF_EMU_FAIL="launch:9:1")
        self.assertEqual(status, 0, said)
        self.assertIn("going on with cpu", said)

    def test_rows_are_made_by_the_next_device_when_the_gpu_fails(self):
        model = self.path("model.rfm")
        self.ok("fit", self.table(300), "-o", model, *SMALL, env=self.env())
        wanted = self.path("wanted.csv")
        self.ok("sample", model, "-o", wanted, "--seed", 1, "--device", "cpu", env=self.env())
        for name, failure in (("lost.csv", "sync:2:719"), ("memory.csv", "malloc:2:2"), ("refused.csv", "launch:3:1")):
            out = self.path(name)
            status, _, said = run("sample", model, "-o", out, "--seed", 1, env=self.env(RF_EMU_FAIL=failure))
            self.assertEqual(status, 0, said)
            self.assertIn("going on with cpu", said)
            self.assertEqual(read_bytes(out), read_bytes(wanted))
            status, _, said = run("sample", model, "-o", out, "--device", "cuda:0", env=self.env(RF_EMU_FAIL=failure))
            self.assertEqual(status, 1, said)

    def test_a_gpu_that_fails_after_the_training_costs_no_rows(self):
        trained, _, _ = self.synth("well.csv", "--rows", 3000)
        lost = 0
        for nth in range(3, 40):
            out, status, said = self.synth("lost.csv", "--rows", 3000, RF_EMU_FAIL=f"sync:{nth}:719")
            self.assertEqual(status, 0, said)
            self.assertEqual(len(read_csv(out)), len(read_csv(trained)))
            if "going on" not in said:
                break
            lost += 1
        self.assertGreater(lost, 3)

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
