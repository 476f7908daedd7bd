#!/usr/bin/env python3
"""expect_failure.py PLUGIN PROGRAM …: ends well when a program fails on the broken plugin, however it fails."""
import os
import subprocess
import sys

plugin, programs = sys.argv[1], sys.argv[2:]
settings = {**os.environ, "ROWFORGE_CUDA_LIBRARY": plugin, "RF_TEST_DEVICE": "cuda:0", "RF_TEST_CONSTRUCTION": "fused",
            "CMOCKA_MESSAGE_OUTPUT": "STDOUT"}  # the words looked for below, whatever the caller's own tests print
for program in programs:
    done = subprocess.run([program], env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=500)
    if b"test(s)" not in done.stdout and done.returncode > 0:
        sys.exit(f"{program} did not run:\n{done.stdout.decode(errors='replace')[-2000:]}")
    if done.returncode == 0:
        sys.exit(f"{program} did not notice that the kernel is broken")
