#!/usr/bin/env python3
"""Status polls a second: rowforge serve against FastAPI on uvicorn (uvloop, httptools), in the same run.

    bench/bench_http.py                    ours alone
    bench/bench_http.py --peer VENV        and the peer; VENV is made with pip when it is not there (fastapi uvicorn[standard] pyjwt)
    bench/bench_http.py --json F           the numbers as JSON too; F may be - for nothing else

A poll is authenticated, read from the database, and goes through every guard; the access log is off. wrk asks from one thread on
the same processors. The reply is checked before anything is timed. Half load: as many connections, each waiting between
requests so that half of the best rate is asked for; its 99th percentile is told.
"""
import argparse
import base64
import hashlib
import hmac
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BINARY = os.environ.get("ROWFORGE_BIN", os.path.join(ROOT, "build", "rowforge"))
SECRET = "a secret that is only for the benchmark"
CONNECTIONS = 32


def ask(url, body=None, token=None, kind="application/json"):
    request = urllib.request.Request(url, data=body)
    if body is not None:
        request.add_header("Content-Type", kind)
    if token:
        request.add_header("Authorization", "Bearer " + token)
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.load(reply)


def urgent(command):
    """Before the other work of a busy machine, where that is allowed."""
    allowed = shutil.which("chrt") and subprocess.run(["chrt", "-f", "10", "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0
    return (["chrt", "-f", "10"] if allowed else []) + command


class Ours:
    name = "rowforge serve"

    def __init__(self, folder):
        table = os.path.join(folder, "people.csv")
        subprocess.run([BINARY, "demo-data", table, "--rows", "200"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        env = dict(os.environ, PORT="0", DATA_DIR=os.path.join(folder, "data"), ACCESS_LOG="false", REQUIRE_APPROVAL="true",
                   LOG_LEVEL="warning", SECRET_KEY=SECRET)
        self.process = subprocess.Popen(urgent([BINARY, "serve"]), stdout=subprocess.PIPE, env=env, text=True)
        self.url = self.process.stdout.readline().strip()
        login = json.dumps({"email": "a@example.com", "password": "only a benchmark"}).encode()
        ask(self.url + "/auth/register", login)
        self.token = ask(self.url + "/auth/login", login)["data"]["access_token"]
        with open(table, "rb") as file:
            form = (b'--b\r\nContent-Disposition: form-data; name="file"; filename="people.csv"\r\n\r\n' + file.read() + b"\r\n--b--\r\n")
        dataset = ask(self.url + "/upload/dataset", form, self.token, "multipart/form-data; boundary=b")["data"]["id"]
        job = ask(self.url + "/generation/start", json.dumps({"dataset_id": dataset, "sample_size": 200}).encode(), self.token)["data"]["id"]
        self.poll = f"{self.url}/generation/status/{job}"

    def memory_mb(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1)) / 1024


class Peer(Ours):
    name = "FastAPI, uvicorn x 2"

    def __init__(self, folder, venv):  # pylint: disable=super-init-not-called
        python = os.path.join(venv, "bin", "python")
        if not os.path.exists(python):
            subprocess.run([sys.executable, "-m", "venv", venv], check=True)
            subprocess.run([python, "-m", "pip", "-q", "install", "fastapi", "uvicorn[standard]", "pyjwt"], check=True)
        env = dict(os.environ, PEER_SECRET=SECRET, PEER_DB=os.path.join(folder, "peer.db"))
        port = "18473"
        self.process = subprocess.Popen(urgent([python, "-m", "uvicorn", "status_fastapi:app", "--port", port, "--loop", "uvloop", "--http",
                                                "httptools", "--no-access-log", "--log-level", "warning", "--workers", "2", "--app-dir",
                                                os.path.join(ROOT, "bench", "peers")]), env=env)
        self.url = "http://127.0.0.1:" + port
        self.token = self.sign({"sub": "1", "exp": int(time.time()) + 3600})
        self.poll = self.url + "/generation/status/2"
        for _ in range(300):
            try:
                ask(self.poll, token=self.token)
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit("the peer does not answer")

    @staticmethod
    def sign(claims):
        def part(data):
            return base64.urlsafe_b64encode(data).rstrip(b"=")
        head = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(json.dumps(claims).encode())
        return (head + b"." + part(hmac.new(SECRET.encode(), head, hashlib.sha256).digest())).decode()


def load(side, seconds, delay_ms=None):
    """(requests a second, p50 in ms, p99 in ms)"""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}", "--latency", "-H", "Authorization: Bearer " + side.token]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        if delay_ms:
            script.write(f"function delay() return math.random(0, {max(1, round(2 * delay_ms))}) end\n")
            script.flush()
            command += ["-s", script.name]
        text = subprocess.run(urgent(command + [side.poll]), stdout=subprocess.PIPE, text=True, check=True).stdout
    if "Non-2xx" in text or "Socket errors" in text:
        raise SystemExit(f"{side.name}: not every poll was answered\n{text}")

    def ms(label):
        value, unit = re.search(label + r"%\s+([\d.]+)(us|ms|s)", text).groups()
        return float(value) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit]
    return float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1)), ms("50"), ms("99")


def measure(side, runs, seconds):
    reply = ask(side.poll, token=side.token)
    assert reply["success"] and reply["data"]["status"] == "pending_approval", reply
    load(side, 1)
    rates = [load(side, seconds)[0] for _ in range(runs)]
    best = statistics.median(rates)
    # a round of waiting and one request each: connections / rate is how long one may take
    half = [load(side, seconds, CONNECTIONS / (best / 2) * 1e3 - 0.5) for _ in range(runs)]
    return {"name": side.name, "polls_per_s": best, "lowest": min(rates), "highest": max(rates),
            "half_load_per_s": statistics.median(r for r, _, _ in half), "half_load_p50_ms": statistics.median(p for _, p, _ in half),
            "half_load_p99_ms": statistics.median(p for _, _, p in half), "peak_memory_mb": side.memory_mb()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", metavar="VENV")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--json", metavar="F")
    options = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for make in [lambda: Ours(folder)] + ([lambda: Peer(folder, options.peer)] if options.peer else []):
            side = make()
            try:
                results.append(measure(side, options.runs, options.seconds))
            finally:
                side.process.send_signal(signal.SIGTERM)
                side.process.wait(60)
    if options.json == "-":
        json.dump(results, sys.stdout, indent=1)
        return
    print(f"{'':26}{'polls/s':>10}{'lowest':>10}{'highest':>10}{'half load/s':>13}{'p50 ms':>9}{'p99 ms':>9}{'MB':>7}")
    for r in results:
        print(f"{r['name']:26}{r['polls_per_s']:10.0f}{r['lowest']:10.0f}{r['highest']:10.0f}{r['half_load_per_s']:13.0f}"
              f"{r['half_load_p50_ms']:9.2f}{r['half_load_p99_ms']:9.2f}{r['peak_memory_mb']:7.1f}")
    if len(results) == 2:
        print(f"ratio {results[0]['polls_per_s'] / results[1]['polls_per_s']:.1f}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)


if __name__ == "__main__":
    main()
