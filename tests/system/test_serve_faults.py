"""What a server and its workers survive: kills at any moment, ends in the middle, full disks, clients that leave."""
import os
import random
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest
import urllib.parse
from http.client import HTTPException

import driver
from service import ServiceCase, User, until

SMALL = {"generator_dim": [64, 64], "discriminator_dim": [64, 64], "embedding_dim": 32}
LONG = dict(SMALL, epochs=150)  # some seconds


def undisturbed(case, service, content, **parameters):
    user = service.user()
    job = user.start(user.upload(content), **parameters)
    user.wait(job)
    return user.result(job)


class Kills(ServiceCase):
    def running(self, service, job):
        """Waits until a training has stored a checkpoint."""
        until(lambda: any("checkpoint" in key for key in service.objects(f"jobs/{job}")), f"a checkpoint of request {job}")

    def begin(self, service, content):
        user = service.user()
        job = user.start(user.upload(content), **LONG)
        self.running(service, job)
        return user, job

    def test_a_training_goes_on_after_the_server_was_killed_and_gives_the_same_bytes(self):
        content = self.csv()
        os.mkdir(self.path("calm"))
        expected = undisturbed(self, self.serve(self.path("calm")), content, **LONG)
        service = self.serve()
        user, job = self.begin(service, content)
        for _ in range(2):
            service.kill()
            service.start()
            until(lambda: user.status(job)["status"] != "queued", "the training going on")
        found = user.wait(job)
        self.assertEqual(user.result(job), expected)
        self.assertEqual(found["attempt"], 1, "the server's own death counts as no attempt")

    def test_a_training_goes_on_after_its_worker_was_killed_and_gives_the_same_bytes(self):
        content = self.csv()
        service = self.serve()
        expected = undisturbed(self, service, content, **LONG)
        user, job = self.begin(service, content)
        os.kill(service.workers()[0], signal.SIGKILL)
        found = user.wait(job)
        self.assertEqual(user.result(job), expected)
        self.assertEqual(found["attempt"], 2)

    def test_a_training_is_given_back_at_the_end_and_goes_on_after_the_start(self):
        content = self.csv()
        service = self.serve()
        expected = undisturbed(self, service, content, **LONG)
        user, job = self.begin(service, content)
        self.assertEqual(service.term(), 0)
        service.start()
        found = user.wait(job)
        self.assertEqual(user.result(job), expected)
        self.assertEqual(found["attempt"], 1)

    def test_a_short_job_is_finished_before_the_end(self):
        service = self.serve(DRAIN_SECONDS="200")
        user, job = self.begin(service, self.csv())
        self.assertEqual(service.term(), 0)
        service.start()
        self.assertEqual(user.status(job)["status"], "completed")

    def test_a_worker_that_was_stopped_past_its_lease_changes_nothing(self):
        content = self.csv()
        service = self.serve(WORKERS="2", LEASE_SECONDS="1", BEAT_SECONDS="0.2")
        expected = undisturbed(self, service, content, **LONG)
        user, job = self.begin(service, content)
        before = {pid: processor_time(pid) for pid in service.workers()}
        stopped = until(lambda: next((pid for pid in before if processor_time(pid) > before[pid] + 5), None), "a busy worker")
        os.kill(stopped, signal.SIGSTOP)
        try:
            found = user.wait(job)
        finally:
            os.kill(stopped, signal.SIGCONT)
        self.assertGreaterEqual(found["attempt"], 2)
        time.sleep(1)  # for the one that wakes to do what it must not
        self.assertEqual(user.status(job), found)
        self.assertEqual(user.result(job), expected)

    def test_a_job_that_kills_its_workers_fails_after_three(self):
        service = self.serve()
        user, job = self.begin(service, self.csv())
        for _ in range(3):
            until(lambda: user.status(job)["status"] == "running" and service.workers(), "the training")
            attempt = user.status(job)["attempt"]
            os.kill(service.workers()[0], signal.SIGKILL)
            until(lambda: user.status(job)["attempt"] != attempt or user.status(job)["status"] == "failed", "the next attempt")
        found = user.wait(job, "failed")
        self.assertTrue(found["error"])

    def test_random_kills_of_server_and_workers_lose_nothing_and_make_nothing_twice(self):
        draw = random.Random(5)
        content = self.csv(150)
        service = self.serve(WORKERS="2", MAX_CRASHES="100", MAX_ATTEMPTS="100")
        user = service.user()
        dataset = user.upload(content)
        jobs = [user.start(dataset, epochs=10, seed=i % 3, **SMALL) for i in range(12)]
        for _ in range(12):
            time.sleep(draw.uniform(0.05, 0.4))
            if draw.random() < 0.4:
                service.kill()
                service.start()
            else:
                for worker in service.workers():
                    if draw.random() < 0.6:
                        os.kill(worker, signal.SIGKILL)
        results = {}
        for i, job in enumerate(jobs):
            user.wait(job)
            results.setdefault(i % 3, set()).add(user.result(job))
        self.assertEqual([len(found) for found in results.values()], [1, 1, 1], "one seed, one result")
        self.assertEqual(len(user.ok("GET", "/generation/requests?limit=200").data["items"]), len(jobs))
        service.term()
        with service.database() as db:
            self.assertEqual(db.execute("PRAGMA integrity_check").fetchone(), ("ok",))
            self.assertEqual(db.execute("SELECT COUNT(*) FROM models").fetchone(), (len(jobs),))
            self.assertEqual(db.execute("SELECT COUNT(*) FROM jobs WHERE finished_ms = 0").fetchone(), (0,))
        db.close()


def processor_time(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


class Cancelling(ServiceCase):
    def test_a_running_training_stops_soon_and_says_cancelled(self):
        service = self.serve()
        user = service.user()
        job = user.start(user.upload(self.csv()), epochs=500, **SMALL)
        until(lambda: user.status(job)["status"] == "running", "the training")
        user.ok("DELETE", f"/generation/requests/{job}")
        user.wait(job, "cancelled")
        self.assertEqual(user.send("GET", f"/generation/download/{job}").status, 409)
        user.wait(user.start(user.upload(self.csv(150)), epochs=10))  # the worker is free again

    def test_a_waiting_one_is_cancelled_at_once(self):
        service = self.serve(WORKERS="0")
        user = service.user()
        job = user.start(user.upload(self.csv()))
        self.assertEqual(user.status(job)["status"], "queued")
        user.ok("DELETE", f"/generation/requests/{job}")
        self.assertEqual(user.status(job)["status"], "cancelled")


class Clients(ServiceCase):
    def raw(self, service, head):
        sock = socket.create_connection(("127.0.0.1", service.port), timeout=60)
        sock.sendall(head.encode())
        return sock

    def test_a_client_that_leaves_in_the_middle_of_an_upload_leaves_nothing(self):
        service = self.serve()
        user = service.user()
        for _ in range(5):
            sock = self.raw(service, f"POST /upload/dataset HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {user.token}\r\n"
                                     "Content-Type: multipart/form-data; boundary=edge\r\nContent-Length: 10000000\r\n\r\n"
                                     "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x.csv\"\r\n\r\na,b\n")
            sock.sendall(b"1,2\n" * 100000)
            sock.close()

        def is_clean():
            found = [name for _, _, names in os.walk(os.path.join(service.data, "objects")) for name in names]
            return not found
        until(is_clean, "the uploaded part going away")
        self.assertEqual(user.ok("GET", "/upload/datasets").data["items"], [])

    def test_a_client_that_leaves_in_the_middle_of_a_sample_cancels_it(self):
        service = self.serve()
        user = service.user()
        job = user.start(user.upload(self.csv()), **SMALL)
        user.wait(job)
        model = user.ok("GET", "/models").data["items"][0]["id"]
        body = b'{"rows": 50000000, "seed": 1}'
        sock = self.raw(service, f"POST /models/{model}/sample HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {user.token}\r\n"
                                 f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n" + body.decode())
        self.assertIn(b"200", sock.recv(4096))
        sock.close()
        until(lambda: not service.objects("samples"), "the parts going away")
        small = user.start(user.upload(self.csv(150)), epochs=10)
        user.wait(small)  # the worker is free again


@unittest.skipUnless(os.geteuid() == 0, "only root can mount a small disk")
class FullDisk(ServiceCase):
    def setUp(self):
        super().setUp()
        self.disk = self.path("disk")
        os.mkdir(self.disk)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", self.disk], check=False, capture_output=True)
        if done.returncode != 0:
            self.skipTest("a small disk cannot be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", self.disk], check=False)

    def fill(self, leave):
        """Fills the disk but for so many bytes; the name of what fills it."""
        path = os.path.join(self.disk, "filler")
        disk = os.statvfs(self.disk)
        with open(path, "wb") as file:
            file.write(b"\0" * max(0, disk.f_bavail * disk.f_frsize - leave))
        return path

    def test_an_upload_is_refused_nothing_is_left_and_it_works_again_with_room(self):
        service = self.serve(DATA_DIR=os.path.join(self.disk, "data"))
        service.data = os.path.join(self.disk, "data")
        user = service.user()
        kept = user.upload(self.csv())
        until(lambda: user.ok("GET", f"/upload/datasets/{kept}").data["status"] == "ready", "the profile")
        before = service.objects()
        filler = self.fill(2 << 20)
        content = b"a,b\n" + b"1,2\n" * 1000000
        edge = b"--e\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x.csv\"\r\n\r\n"
        reply = user.send("POST", "/upload/dataset", edge + content + b"\r\n--e--\r\n",
                          {"Content-Type": "multipart/form-data; boundary=e"})
        self.assertEqual(reply.status, 503, reply.body)
        self.assertIn("Retry-After", reply.headers)
        self.assertEqual(service.objects(), before)
        self.assertEqual(service.anonymous().send("GET", "/ready").status, 503)
        self.assertEqual(user.send("GET", "/upload/datasets").status, 200)
        os.unlink(filler)
        user.upload(self.csv(200, 2))
        self.assertEqual(service.anonymous().send("GET", "/ready").status, 200)


class Retention(ServiceCase):
    def test_old_requests_go_with_their_files_and_young_ones_stay(self):
        service = self.serve(RETENTION_DAYS="30", SWEEP_SECONDS="0.3")
        user = service.user()
        dataset = user.upload(self.csv())
        old, young = user.start(dataset, **SMALL), user.start(dataset, **SMALL)
        user.wait(old)
        user.wait(young)
        service.term()
        month_ms = 31 * 24 * 3600 * 1000
        with service.database() as db:
            db.execute("UPDATE jobs SET finished_ms = finished_ms - ? WHERE id = ?", (month_ms, old))
        db.close()
        service.start()
        until(lambda: user.send("GET", f"/generation/status/{old}").status == 404, "the old request going")
        self.assertEqual(user.status(young)["status"], "completed")
        self.assertEqual(len(user.result(young).splitlines()), 101)
        self.assertEqual(len(user.ok("GET", "/upload/datasets").data["items"]), 1)


class Together(ServiceCase):
    def test_sigterm_in_the_middle_of_everything_ends_with_status_zero_and_loses_nothing(self):
        service = self.serve(WORKERS="2", MAX_QUEUED_GENERATIONS="10000")
        user = service.user()
        dataset = user.upload(self.csv(150))
        taken, stop = [], threading.Event()

        def submit():
            mine = User(service, user.token)
            while not stop.is_set():
                try:
                    taken.append(mine.start(dataset, **SMALL))
                except (OSError, HTTPException, AssertionError):  # the server is ending
                    return

        def poll():
            mine = User(service, user.token)
            while not stop.is_set():
                try:
                    mine.send("GET", "/generation/requests")
                except (OSError, HTTPException):
                    return

        threads = [threading.Thread(target=target) for target in (submit, submit, poll, poll)]
        for thread in threads:
            thread.start()
        until(lambda: len(taken) >= 20, "some requests")
        status = service.term()
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(status, 0)
        service.start()
        for job in taken:
            self.assertIn(user.status(job)["status"], ("queued", "running", "completed"))


class LostFiles(ServiceCase):
    """Somebody deletes files under a running server: it says that something is wrong, and not what lies where."""

    def test_a_file_that_is_gone_is_the_servers_fault_and_names_no_key(self):
        service = self.serve()
        user = service.user()
        job = user.start(user.upload(self.csv(100)), epochs=10)
        user.wait(job)
        link = user.ok("GET", f"/generation/download/{job}").data["url"]
        for key in service.objects(f"jobs/{job}"):
            os.remove(os.path.join(service.data, "objects", key))
        reply = user.send("GET", f"/generation/download/{job}?inline=1")
        self.assertEqual((reply.status, reply.error["code"]), (500, "INTERNAL_ERROR"))
        self.assertNotIn(b"jobs/", reply.body)
        reply = service.anonymous().send("GET", urllib.parse.urlsplit(link).path)
        self.assertEqual((reply.status, reply.error["message"]), (404, "the file of this link was deleted"))

    def test_an_upload_that_cannot_be_stored_names_no_key(self):
        service = self.serve(WORKERS="0")
        user = service.user()
        user.upload(self.csv(100))
        shutil.rmtree(os.path.join(service.data, "objects"))
        with self.assertRaisesRegex(AssertionError, "503.*the file could not be stored") as told:
            user.upload(self.csv(100))
        self.assertNotIn("datasets/", str(told.exception))
        self.assertEqual(len(user.ok("GET", "/upload/datasets").data["items"]), 1)


if __name__ == "__main__":
    unittest.main()
