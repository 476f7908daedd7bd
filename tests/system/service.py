"""What the tests of the service share: a server of our own on a free port, and a client of it.

    with Service(folder, LEASE_SECONDS="2") as service:
        user = service.user()
        dataset = user.upload(csv_bytes)
        job = user.start(dataset, epochs=20)
        user.wait(job)
"""
import http.client
import json
import os
import signal
import sqlite3
import subprocess
import time
import unittest

import driver

PATIENCE_S = 240

# Every interval is shortened, so that waiting for a condition is short.
QUICK = {
    "PORT": "0", "PASSWORD_COST": "4", "RATE_LIMIT_ENABLED": "false", "LEASE_SECONDS": "15", "BEAT_SECONDS": "0.3",
    "REAP_SECONDS": "0.2", "RECONCILE_SECONDS": "1", "RELAY_SECONDS": "0.2", "CHECKPOINT_SECONDS": "0.05",
    "DRAIN_SECONDS": "0", "RETRY_BASE_SECONDS": "0.05", "WORKER_THREADS": "1", "LOG_LEVEL": "info",
}


def environment(folder, **settings):
    """Ours, without settings of whoever runs the tests."""
    env = {name: value for name, value in os.environ.items()
           if name in ("PATH", "HOME", "TMPDIR", "ROWFORGE_CPU") or name.endswith("SAN_OPTIONS")}
    env.update(QUICK)
    env["DATA_DIR"] = os.path.join(folder, "data")
    env.update(settings)
    return {name: value for name, value in env.items() if value is not None}


def until(condition, what, seconds=PATIENCE_S):
    """Waits for a condition to be true; what it gave."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain: {what}")
        time.sleep(0.02)


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def data(self):
        return self.json["data"]

    @property
    def error(self):
        return self.json["error"]


class User:
    """Requests with the token of one account."""

    def __init__(self, service, token=None, email=None):
        self.service, self.token, self.email = service, token, email

    def send(self, method, path, body=None, headers=None, timeout=PATIENCE_S):
        headers = dict(headers or {})
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers)
            reply = connection.getresponse()
            return Reply(reply.status, reply.headers, reply.read())
        finally:
            connection.close()

    def ok(self, method, path, body=None, headers=None):
        reply = self.send(method, path, body, headers)
        if not 200 <= reply.status < 300:
            raise AssertionError(f"{method} {path}: {reply.status} {reply.body[:500]!r}")
        return reply

    def upload(self, content, name="people.csv"):
        edge = "edge-of-the-tests"
        body = (f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
                f"Content-Type: text/csv\r\n\r\n").encode() + content + f"\r\n--{edge}--\r\n".encode()
        kind = {"Content-Type": f"multipart/form-data; boundary={edge}"}
        return self.ok("POST", "/upload/dataset", body, kind).data["id"]

    def start(self, dataset, rows=100, headers=None, model="ctgan", **parameters):
        config = {"model_type": model, "epochs": 10, "batch_size": 100, "seed": 7}
        config.update(parameters)
        body = {"dataset_id": dataset, "sample_size": rows, "model_config": config}
        return self.ok("POST", "/generation/start", body, headers).data["id"]

    def status(self, job):
        return self.ok("GET", f"/generation/status/{job}").data

    def wait(self, job, state="completed"):
        def ended():
            now = self.status(job)
            return now if now["status"] in ("completed", "failed", "cancelled", "rejected") else None
        found = until(ended, f"the end of request {job}")
        if found["status"] != state:
            raise AssertionError(f"request {job} is not {state}: {found}")
        return found

    def result(self, job):
        return self.ok("GET", f"/generation/download/{job}?inline=1").body


class Service:
    """A server; the folder's data stay when it ends."""

    def __init__(self, folder, **settings):
        self.folder, self.settings = folder, settings
        self.data = os.path.join(folder, "data")
        self.process = self.port = None
        self.log_path = os.path.join(folder, "log")
        self.start()

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([driver.BINARY, "serve"], stdout=subprocess.PIPE, stderr=log, cwd=self.folder,
                                            env=environment(self.folder, **self.settings))
        address = self.process.stdout.readline().decode().strip()
        if not address:
            self.process.wait()
            raise AssertionError(f"the server did not start: {self.log()}")
        self.address = address
        self.port = int(address.rsplit(":", 1)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def kill(self):
        """As a power cut would end it, but for the disk."""
        if self.process and self.process.poll() is None:
            children = self.workers()
            self.process.kill()
            self.process.wait()
            until(lambda: not any(alive(pid) for pid in children), "the end of the workers of a dead server", 30)
        if self.process:
            self.process.stdout.close()
            self.process = None

    def term(self):
        """Asks it to end; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=PATIENCE_S)
        self.process.stdout.close()
        self.process = None
        return status

    def workers(self):
        """Processes of the workers."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as file:
            found = {int(word) for word in file.read().split()}
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            with open(f"/proc/{self.process.pid}/task/{task}/children", encoding="ascii") as file:
                found |= {int(word) for word in file.read().split()}
        return sorted(found)

    def anonymous(self):
        return User(self)

    def user(self, email="ann@example.org", password="correct horse"):
        nobody = self.anonymous()
        reply = nobody.send("POST", "/auth/register", {"email": email, "password": password})
        if reply.status not in (201, 409):
            raise AssertionError(reply.body)
        return self.login(email, password)

    def login(self, email="ann@example.org", password="correct horse"):
        tokens = self.anonymous().ok("POST", "/auth/login", {"email": email, "password": password}).data
        return User(self, tokens["access_token"], email)

    def admin(self, email="root@example.org", password="correct horse"):
        status, _, err = driver.run("admin", "create-user", "--email", email, "--role", "admin", stdin=password.encode() + b"\n",
                                    env=environment(self.folder, **self.settings), cwd=self.folder)
        if status != 0:
            raise AssertionError(err)
        return self.login(email, password)

    def objects(self, below=""):
        """Keys of the stored objects."""
        root = os.path.join(self.data, "objects")
        found = []
        for folder, _, names in os.walk(os.path.join(root, below)):
            found += [os.path.relpath(os.path.join(folder, name), root) for name in names if not name.startswith(".")]
        return sorted(found)

    def database(self):
        """The database of a server that has ended."""
        return sqlite3.connect(os.path.join(self.data, "rowforge.db"))


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def has_service():
    return driver.run("serve", "--help")[0] == 0


@unittest.skipUnless(has_service(), "this program was built without the service")
class ServiceCase(driver.Case):
    def serve(self, folder=None, **settings):
        service = Service(folder or self.folder, **settings)
        self.addCleanup(service.kill)
        return service

    def csv(self, n_rows=400, seed=1):
        path = driver.write_csv(self.path(f"table-{n_rows}-{seed}.csv"), driver.people(n_rows, seed))
        return driver.read_bytes(path)
