"""Two thousand jobs of almost no work, while a worker or the server is killed every fifth of a second: every job ends once."""
import collections
import os
import random
import signal
import sqlite3
import time

from service import ServiceCase, until

JOBS = 2000
# Jobs of no work cannot be asked for over HTTP: they come as a submit would write them, row and note, and the relay finds them.
INSERT = """INSERT INTO jobs (id, user_id, kind, state, priority, dataset_id, model_id, seed, n_rows, timeout_ms, cost,
blocked, unlimited, need, spec, plan, token, attempt, crashes, memory_failures, worker_id, device, created_ms, run_at_ms,
started_ms, attempt_ms, cancel_ms, finished_ms, cancel_reason, progress, checkpoint, result, error_class, error_message,
error_detail) VALUES (?, 1, 'noop', 'queued', 5, 0, 0, 0, 0, 3600000, 1.0, 0, 1, 'cpu', '', ?, 1, 0, 0, 0, 0, '', ?, ?,
0, 0, 0, 0, '', '', '', '', '', '', '')"""
PLAN = '{"version":1,"kind":"noop","timeout_s":3600,"work_ms":%d,"failure":null}'


class Chaos(ServiceCase):
    def look(self, service):
        db = sqlite3.connect(os.path.join(service.data, "rowforge.db"), timeout=30, isolation_level=None)
        self.addCleanup(db.close)
        return db

    def submit(self, db, draw):
        now = int(time.time() * 1000) - 2000
        db.execute("BEGIN IMMEDIATE")
        first = db.execute("UPDATE sequences SET last = last + ? WHERE name = 'jobs' RETURNING last", (JOBS,)).fetchone()[0]
        ids = range(first - JOBS + 1, first + 1)
        db.executemany(INSERT, [(i, PLAN % draw.choice([0, 5, 20, 30]), now, now) for i in ids])
        db.executemany("INSERT INTO outbox (job_id, token, created_ms) VALUES (?, 1, ?)", [(i, now) for i in ids])
        db.execute("COMMIT")
        return ids

    def test_no_job_is_lost_or_done_twice(self):
        draw = random.Random(int(os.environ.get("ROWFORGE_CHAOS_SEED", "1")))
        service = self.serve(WORKERS="2", LEASE_SECONDS="5", REAP_SECONDS="0.1", RELAY_SECONDS="0.1", RECONCILE_SECONDS="0.5",
                             RETRY_BASE_SECONDS="0.02", RETRY_CAP_SECONDS="0.5", MAX_CRASHES="100")
        service.user()  # owns the jobs
        db = self.look(service)
        ids = self.submit(db, draw)
        left = lambda: db.execute("SELECT COUNT(*) FROM jobs WHERE finished_ms = 0").fetchone()[0]
        kills = collections.Counter()
        calm = time.monotonic() + 60  # on a machine so busy that little gets done between two kills
        while left() > 0 and time.monotonic() < calm:
            time.sleep(0.2)
            if draw.random() < 0.3:
                kills["server"] += 1
                service.kill()
                service.start()
            else:
                workers = service.workers()
                if workers:
                    kills["worker"] += 1
                    os.kill(draw.choice(workers), signal.SIGKILL)
        until(lambda: left() == 0, "the end of all jobs")
        self.assertEqual(dict(db.execute("SELECT state, COUNT(*) FROM jobs GROUP BY state").fetchall()), {"completed": JOBS})
        completed = dict(db.execute("SELECT job_id, COUNT(*) FROM attempts WHERE outcome = 'completed' GROUP BY job_id"))
        self.assertEqual(completed, {i: 1 for i in ids}, f"each once, after {dict(kills)}")
        self.assertEqual(service.term(), 0)
        self.assertEqual(db.execute("PRAGMA integrity_check").fetchone(), ("ok",))
        self.assertEqual(db.execute("SELECT COUNT(*) FROM outbox").fetchone(), (0,), "no note is left over")
        self.assertGreater(sum(kills.values()), 3)
