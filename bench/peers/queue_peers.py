#!/usr/bin/env python3
"""Jobs of no work through other people's queues: two worker processes, a Redis of its own that appends every write.

    queue_peers.py [--jobs N] [--runs N]     prints JSON, an object a line; needs rq, arq and redis-server

What bench_queue does with ours: jobs are submitted one by one, eight submitters at a time where the library allows it, and the
clock stops when the last is done. Before a figure counts, every job must have its result. Redis syncs once a second, as
synchronous=NORMAL does about as rarely.
"""
import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time

WORKERS, SUBMITTERS, PATIENCE_S = 2, 8, 300
HERE = os.path.abspath(__file__)


def noop():
    return 1


async def async_noop(_):
    return 1


# ---- rq: a worker that takes each job in its own process, not in a fork a job -----------------------------


def rq_queue(port):
    import redis
    import rq
    connection = redis.Redis(port=port)
    return rq.Queue("bench", connection=connection), connection


def rq_worker(port):
    import rq
    queue, connection = rq_queue(port)
    rq.SimpleWorker([queue], connection=connection).work(logging_level="ERROR")


def rq_run(port, n):
    queue, connection = rq_queue(port)
    began = time.monotonic()
    jobs = [queue.enqueue("queue_peers.noop").id for _ in range(n)]
    while len(queue.finished_job_registry) < n:
        check_patience(began)
        time.sleep(0.005)
    rate = n / (time.monotonic() - began)
    if set(jobs) != set(queue.finished_job_registry.get_job_ids()) or queue.fetch_job(jobs[-1]).return_value() != 1:
        raise SystemExit("rq: a job has no result")
    connection.flushall()
    return rate


# ---- arq: jobs as coroutines --------------------------------------------------------------------------------


def arq_worker(port):
    import arq
    from arq.connections import RedisSettings
    worker = arq.Worker([arq.func(async_noop, name="noop")], redis_settings=RedisSettings(port=port), handle_signals=True,
                        max_jobs=100, poll_delay=0.005)
    worker.run()


async def arq_jobs(port, n):
    from arq import create_pool
    from arq.connections import RedisSettings
    pool = await create_pool(RedisSettings(port=port))
    began = time.monotonic()

    async def submit(first):
        for i in range(first, n, SUBMITTERS):
            await pool.enqueue_job("noop", _job_id=f"job {i}")

    await asyncio.gather(*(submit(i) for i in range(SUBMITTERS)))
    while await pool.zcard("arq:queue"):
        check_patience(began)
        await asyncio.sleep(0.005)
    rate = n / (time.monotonic() - began)
    results = [key async for key in pool.scan_iter("arq:result:job *", count=1000)]
    if len(results) != n:
        raise SystemExit(f"arq: {len(results)} of {n} jobs have a result")
    await pool.flushall()
    await pool.aclose()
    return rate


def arq_run(port, n):
    return asyncio.run(arq_jobs(port, n))


# ---- the run ------------------------------------------------------------------------------------------------

PEERS = {"rq": (rq_worker, rq_run), "arq": (arq_worker, arq_run)}


def check_patience(began):
    if time.monotonic() - began > PATIENCE_S:
        raise SystemExit("the jobs do not end")


def start_redis(folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--appendonly", "yes",
                                "--appendfsync", "everysec", "--save", ""], stdout=subprocess.DEVNULL)
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return process, port
        except OSError:
            time.sleep(0.05)
    raise SystemExit("redis-server does not start")


def measure(name, port, jobs, runs):
    from importlib.metadata import version
    workers = [subprocess.Popen([sys.executable, HERE, "--worker", name, str(port)], stderr=subprocess.DEVNULL,
                                env=dict(os.environ, PYTHONPATH=os.path.dirname(HERE))) for _ in range(WORKERS)]
    try:
        run = PEERS[name][1]
        run(port, 100)  # until both are awake
        rates = sorted(run(port, jobs) for _ in range(runs))
    finally:
        for worker in workers:
            worker.terminate()
            worker.wait(30)
    print(json.dumps({"bench": "queue", "case": f"{name} {version(name)}", "jobs": jobs, "submit_and_complete_per_s": round(rates[runs // 2]),
                      "lowest": round(rates[0]), "highest": round(rates[-1])}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        PEERS[options.worker[0]][0](int(options.worker[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        redis, port = start_redis(folder)
        try:
            for name in PEERS:
                measure(name, port, options.jobs, options.runs)
        finally:
            redis.terminate()
            redis.wait(30)


if __name__ == "__main__":
    main()
