"""A server from its first start to its end: what it makes, what it refuses, what it says."""
import http.client
import json
import os
import socket
import stat
import subprocess
import time
import unittest

import driver
from service import ServiceCase, alive, environment, until


class Start(ServiceCase):
    def refused_start(self, *parts, folder=None, **settings):
        done = subprocess.run([driver.BINARY, "serve"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False,
                              env=environment(folder or self.folder, **settings), cwd=folder or self.folder)
        err = done.stderr.decode()
        self.assertNotEqual(done.returncode, 0, err)
        self.assertEqual(done.stdout, b"")
        for part in parts:
            self.assertIn(part, err)
        return done.returncode, err

    def test_it_starts_with_no_settings_and_says_where_it_is(self):
        service = self.serve(**{name: None for name in ("PASSWORD_COST", "LEASE_SECONDS", "BEAT_SECONDS")})
        self.assertRegex(service.address, r"^http://127\.0\.0\.1:\d+$")
        self.assertEqual(service.anonymous().ok("GET", "/health").data["status"], "ok")
        self.assertEqual(service.anonymous().send("GET", "/ready").status, 200)

    def test_everything_it_makes_is_for_its_owner_alone(self):
        service = self.serve()
        user = service.user()
        user.upload(self.csv())
        for folder, folders, names in os.walk(service.data):
            for name in folders + names:
                try:
                    mode = stat.S_IMODE(os.lstat(os.path.join(folder, name)).st_mode)
                except FileNotFoundError:
                    continue  # a file on its way
                self.assertEqual(mode & 0o077, 0, os.path.join(folder, name))

    def test_the_key_is_made_once_and_tokens_outlive_a_restart(self):
        service = self.serve()
        user = service.user()
        key = driver.read_bytes(os.path.join(service.data, "secret.key"))
        self.assertGreaterEqual(len(key.strip()), 32)
        self.assertEqual(service.term(), 0)
        service.start()
        self.assertEqual(driver.read_bytes(os.path.join(service.data, "secret.key")), key)
        self.assertEqual(user.ok("GET", "/auth/me").data["email"], "ann@example.org")

    def test_a_key_that_others_may_read_is_refused(self):
        service = self.serve()
        service.term()
        os.chmod(os.path.join(service.data, "secret.key"), 0o644)
        self.refused_start("others may read the key")

    def test_all_faults_of_the_settings_are_told_at_once(self):
        self.file(".env", "this is no setting\nWORKERS=-1\n")
        status, err = self.refused_start(".env: line 1 is not NAME=value", "WORKERS", "PORT is a whole number", "REDIS_URL cannot be used", "SECRET_KEY is too short",
                                         "SUPABASE_URL cannot be used", "DATABASE_URL cannot be postgresql://", PORT="x",
                                         REDIS_URL="redis://h", SECRET_KEY="hunter2", SUPABASE_URL="https://x.example",
                                         DATABASE_URL="postgresql://u:hunter2@h/d")
        self.assertEqual(status, 2)
        self.assertNotIn("hunter2", err)
        self.assertFalse(os.path.exists(self.path("data")), "something was made all the same")

    def test_one_data_folder_has_one_server(self):
        service = self.serve()
        self.refused_start("another server", str(service.process.pid), "DATA_DIR")
        self.assertEqual(service.anonymous().send("GET", "/health").status, 200)

    def test_a_dead_server_leaves_no_lock_behind(self):
        service = self.serve()
        service.kill()
        service.start()
        self.assertEqual(service.anonymous().send("GET", "/health").status, 200)

    def test_a_port_that_is_taken_is_named(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            self.refused_start(port, PORT=port)

    def test_a_data_folder_that_cannot_be_is_named(self):
        self.file("data", "a file")
        self.refused_start("DATA_DIR", "is not a folder")
        self.refused_start("DATA_DIR", "cannot be made", DATA_DIR=self.path("no/such/folder"))

    def test_settings_come_from_the_file_and_the_environment_wins(self):
        self.file(".env", "APP_NAME=from the file\nMAX_FILE_SIZE_MB=7\nPROT=1\n")
        out, err = self.ok("config", "--json", env=environment(self.folder, MAX_FILE_SIZE_MB="9", METRICS_TOKEN="hunter2"),
                           cwd=self.folder)
        found = json.loads(out)["settings"]
        self.assertEqual(found["APP_NAME"], {"value": "from the file", "origin": ".env"})
        self.assertEqual(found["MAX_FILE_SIZE_MB"], {"value": 9, "origin": "environment"})
        self.assertEqual(found["METRICS_TOKEN"]["value"], "(hidden)")
        self.assertNotIn(b"hunter2", out)
        self.assertIn("did you mean PORT", err)
        out, _ = self.ok("config", env=environment(self.folder, METRICS_TOKEN="hunter2"), cwd=self.folder)
        self.assertIn(b"\nMETRICS_TOKEN=(hidden)", out)


    def test_only_the_named_types_of_files_are_taken(self):
        service = self.serve(SUPPORTED_FILE_TYPES="tsv")
        user = service.user()
        user.upload(b"a\tb\n1\t2\n", "x.tsv")
        for name in ("x.csv", "x.parquet"):
            with self.assertRaisesRegex(AssertionError, "415"):
                user.upload(b"a,b\n1,2\n", name)


class End(ServiceCase):
    def test_sigterm_ends_it_and_its_workers_with_status_zero(self):
        service = self.serve(WORKERS="2")
        workers = until(lambda: len(service.workers()) == 2 and service.workers(), "two workers")
        self.assertEqual(service.term(), 0)
        self.assertFalse(any(alive(pid) for pid in workers))

    def test_workers_of_a_killed_server_end_by_themselves(self):
        service = self.serve()
        workers = until(service.workers, "a worker")
        service.process.kill()
        until(lambda: not any(alive(pid) for pid in workers), "the end of the workers", 30)

    def test_a_request_that_is_being_answered_is_finished(self):
        service = self.serve(PASSWORD_COST="11")
        with socket.create_connection(("127.0.0.1", service.port), timeout=60) as sock:
            body = b'{"email": "late@example.org", "password": "correct horse"}'
            sock.sendall(b"POST /auth/register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                         b"Content-Length: %d\r\n\r\n" % len(body) + body)
            time.sleep(0.02)  # it may have arrived or not: both ends are right
            status = service.term()
            reply = sock.recv(65536)
        self.assertEqual(status, 0)
        self.assertTrue(reply == b"" or reply.startswith(b"HTTP/1.1 201"), reply[:80])

    def test_a_killed_worker_is_replaced(self):
        service = self.serve()
        first = until(service.workers, "a worker")
        os.kill(first[0], 9)
        until(lambda: service.workers() and service.workers() != first, "another worker")


class Database(ServiceCase):
    def test_status_and_migrate_say_how_it_stands(self):
        env = environment(self.folder)
        out, _ = self.ok("db", "status", env=env, cwd=self.folder)
        self.assertIn(b"pending", out)
        out, _ = self.ok("db", "migrate", "--json", env=env, cwd=self.folder)
        self.assertGreaterEqual(json.loads(out)["applied"], 1)
        out, _ = self.ok("db", "status", env=env, cwd=self.folder)
        self.assertNotIn(b"pending", out)
        out, _ = self.ok("db", "migrate", "--json", env=env, cwd=self.folder)
        self.assertEqual(json.loads(out)["applied"], 0)

    def test_migrate_waits_for_no_server(self):
        service = self.serve()
        status, _, err = driver.run("db", "migrate", env=environment(self.folder), cwd=self.folder)
        self.assertNotEqual(status, 0)
        self.assertIn("another server", err)
        self.assertEqual(service.anonymous().send("GET", "/ready").status, 200)

    def test_a_schema_of_another_program_is_refused(self):
        service = self.serve()
        service.term()
        with service.database() as db:
            db.execute("UPDATE schema_migrations SET sha256 = 'edited'")
        db.close()
        status, _, err = driver.run("serve", env=environment(self.folder), cwd=self.folder)
        self.assertNotEqual(status, 0)
        self.assertIn("migration", err)


class Admins(ServiceCase):
    def test_the_first_admin_is_made_beside_a_running_server(self):
        service = self.serve()
        self.assertEqual(service.user().send("GET", "/admin/users").status, 403)
        admin = service.admin()
        self.assertEqual(admin.ok("GET", "/auth/me").data["role"], "admin")
        self.assertEqual(len(admin.ok("GET", "/admin/users").data["items"]), 2)

    def test_what_cannot_be_a_user_is_refused(self):
        env = environment(self.folder)
        for words, stdin, part in ((("--email", "x@y.example"), b"", "no password"), (("--email", "x@y.example"), b"short\n", "at least 8"),
                                   (("--email", "nobody"), b"correct horse\n", "not an email"), ((), b"correct horse\n", "--email"),
                                   (("--email", "x@y.example", "--role", "king"), b"correct horse\n", "no role"),
                                   (("--email", "x@y.example"), b"x" * 73 + b"\n", "at most 72")):
            status, _, err = driver.run("admin", "create-user", *words, stdin=stdin, env=env, cwd=self.folder)
            self.assertEqual(status, 2, err)
            self.assertIn(part, err)
            self.assertFalse(err.rstrip().endswith(("(email)", "(password)")), err)

    def test_a_disabled_account_stops_at_once(self):
        service = self.serve()
        user, admin = service.user(), service.admin()
        me = user.ok("GET", "/auth/me").data["id"]
        admin.ok("POST", f"/admin/users/{me}/toggle")
        self.assertEqual(user.send("GET", "/auth/me").status, 401)
        reply = service.anonymous().send("POST", "/auth/login", {"email": user.email, "password": "correct horse"})
        self.assertEqual(reply.status, 401)
        admin.ok("POST", f"/admin/users/{me}/toggle")
        self.assertEqual(service.login().ok("GET", "/auth/me").data["id"], me)

    def test_open_streams_end_with_their_session(self):
        service = self.serve(WORKERS="0", EVENT_PING_SECONDS="0.1")
        user = service.user()
        path = f"/generation/events/{user.start(user.upload(self.csv()))}"
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
        connection.request("GET", path, headers={"Authorization": "Bearer " + user.token})
        stream = connection.getresponse()
        self.assertEqual(stream.readline(), b"retry: 2000\n")
        user.ok("POST", "/auth/logout")
        self.assertNotIn(b"event: end", stream.read())  # it ends, although the job goes on
        connection.close()


class Log(ServiceCase):
    def test_every_line_is_json_and_holds_no_secret(self):
        service = self.serve(LOG_LEVEL="debug")
        user = service.user(password="hunter2-hunter2")
        user.upload(self.csv())
        user.send("GET", "/nowhere?token=hunter2")
        service.term()
        lines = service.log().splitlines()
        self.assertGreater(len(lines), 4)
        for line in lines:
            self.assertEqual(set(json.loads(line)),
                             {"timestamp", "level", "module", "user_id", "request_id", "message", "metadata"})
            self.assertLessEqual(len(line), 4096)
        self.assertNotIn("hunter2", service.log())
        self.assertNotIn(user.token, service.log())

    def test_the_log_may_be_a_file_that_moves_aside(self):
        path = self.path("service.log")
        service = self.serve(LOG_FILE_PATH=path)
        service.anonymous().send("GET", "/health")
        service.term()
        self.assertIn('"listens', driver.read_bytes(path).decode().replace("rowforge 0.1.0 ", '"'))
        self.assertEqual(service.log(), "")


class Quickstart(ServiceCase):
    def test_a_stranger_comes_from_nothing_to_a_synthetic_table(self):
        service = self.serve()
        env = dict(os.environ, ROWFORGE=driver.BINARY, ROWFORGE_URL=service.address, FOLDER=self.path("out"), EPOCHS="10")
        done = subprocess.run([os.path.join(driver.ROOT, "docs", "quickstart.sh")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=300, check=False, env=env, cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stdout.decode())
        self.assertEqual(len(driver.read_csv(self.path("out/synthetic.csv"))), 501)
        self.assertIn(b"<html", driver.read_bytes(self.path("out/report.html")))


if __name__ == "__main__":
    unittest.main()
