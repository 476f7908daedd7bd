"""script/gpu-check without a GPU: everything but the GPU, on the emulated one."""
import glob
import json
import os
import re
import subprocess
import sys
import unittest

from driver import BINARY, ROOT, Case

BUILD = os.path.dirname(BINARY)
NEEDED = [os.path.join(BUILD, *path) for path in (("tests", "cuda", "librowforge_cuda_emulated.so"), ("bench", "bench_cuda"),
                                                  ("bench", "bench_activations"), ("tests", "kernels", "test_updates"))]
RESULTS = os.path.join(ROOT, "bench", "results")


@unittest.skipUnless(all(map(os.path.exists, NEEDED)), "the emulated GPU or the benchmarks were not built")
class GpuCheck(Case):
    def check(self, *words, emulated=True):
        """(exit status, standard output, standard error)"""
        env = {**os.environ, "RF_GPU_CHECK_EMULATED": "1" if emulated else "0"}
        done = subprocess.run([sys.executable, os.path.join(ROOT, "script", "gpu-check"), "--quick", "--built", "--build", BUILD,
                               "--commit", self.folder, *words], capture_output=True, text=True, timeout=600, env=env, check=False)
        return done.returncode, done.stdout, done.stderr

    def report(self):
        with open(self.path("gpu-check-emulated.json"), encoding="utf-8") as file:
            return json.load(file)

    def test_every_part_runs_on_the_emulated_gpu_and_says_so_everywhere(self):
        status, out, err = self.check("--out", self.folder)
        self.assertEqual(status, 0, err + out)
        report = self.report()
        self.assertIs(report["emulated"], True)
        self.assertIn("EMULATED", report["gpu"]["name"])
        for part, least in (("test", 5), ("train", 6), ("sample", 1), ("products", 2)):
            self.assertGreaterEqual(sum(name.startswith(part + "/") for name in report["items"]), least, part)
        page = [line for line in out.splitlines() if line]
        self.assertIn("EMULATED", page[0])
        self.assertIn("EMULATED", page[-1])
        self.assertEqual(sorted(os.listdir(self.folder)), ["gpu-check-emulated.json", "gpu-check.txt"])

    def test_a_real_gpu_meets_every_kernel_test_that_the_emulated_one_does(self):
        with open(os.path.join(ROOT, "tests", "cuda", "CMakeLists.txt"), encoding="utf-8") as file:
            fused = re.search(r"foreach\(test ([a-z_ ]+)\)\s+rf_emulated_test\(\$\{test\} fused\)", file.read())
        with open(os.path.join(ROOT, "script", "gpu-check"), encoding="utf-8") as file:
            run = file.read()
        for name in fused[1].split() + ["test_model_step", "test_cuda_trials", "test_cuda_sizes"]:
            self.assertIn(f'"{name}"', run)

    def test_what_was_done_is_not_done_again(self):
        status, out, err = self.check("--out", self.folder, "--part", "sample", "--limit", "1")
        self.assertEqual(status, 4, err + out)
        self.assertIn("the time is up", err)
        status, _, err = self.check("--out", self.folder, "--part", "sample")
        self.assertEqual(status, 0, err)
        self.assertIn("sample/adult: done", err)
        status, _, err = self.check("--out", self.folder, "--part", "sample")
        self.assertEqual(status, 0, err)
        self.assertNotIn("sample/adult", err)

    def test_a_report_of_no_gpu_is_refused_for_the_results(self):
        for folder in (RESULTS, os.path.join(RESULTS, "new")):
            status, _, err = self.check("--out", folder)
            self.assertEqual(status, 2)
            self.assertIn("bench/results", err)
        for path in glob.glob(os.path.join(RESULTS, "*.json")):
            with open(path, encoding="utf-8") as file:
                self.assertNotIn('"emulated": true', file.read(), path)


if __name__ == "__main__":
    unittest.main()
