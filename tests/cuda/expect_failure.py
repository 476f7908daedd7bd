#!/usr/bin/env python3
"""expect_failure.py PLUGIN PROGRAM …: ends well when a program fails on the broken plugin, however it fails.

The first test that fails is enough: the program is not run to its end.
"""
import os
import subprocess
import sys

plugin, programs = sys.argv[1], sys.argv[2:]
settings = {**os.environ, "ROWFORGE_CUDA_LIBRARY": plugin, "RF_TEST_DEVICE": "cuda:0", "RF_TEST_CONSTRUCTION": "fused",
            "CMOCKA_MESSAGE_OUTPUT": "STDOUT"}  # the words looked for below, whatever the caller's own tests print
for program in programs:
    said = b""
    with subprocess.Popen([program], env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as running:
        for line in running.stdout:
            said += line
            if b"[  FAILED  ]" in line:
                running.kill()
    if b"CUDA side" in said or b"cannot be used" in said:
        sys.exit(f"{program} did not run on the plugin:\n{said.decode(errors='replace')[-2000:]}")
    if b"[  FAILED  ]" in said:
        continue
    if b"test(s)" not in said and running.returncode > 0:
        sys.exit(f"{program} did not run:\n{said.decode(errors='replace')[-2000:]}")
    if running.returncode == 0:
        sys.exit(f"{program} did not notice that the kernel is broken")
