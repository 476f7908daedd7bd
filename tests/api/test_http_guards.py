"""Raw sockets against the server with the stub routes: what must be refused is refused, and the connection closed.

Arguments: the stub server's path. Patience is shortened by settings, never by waiting less for the answer.
"""
import contextlib
import gzip
import hashlib
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import unittest

SERVER = sys.argv.pop(1) if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else "stub_server"
SETTINGS = {"EVENT_PING_SECONDS": "0.2", "PORT": "0", "MAX_CONNECTIONS": "64", "MAX_CONNECTIONS_PER_ADDRESS": "40",
            "CORS_ORIGINS": "https://good.example", "ALLOWED_HOSTS": "127.0.0.1,localhost,*.example.com",
            "MAX_FILE_SIZE_MB": "64", "MAX_REQUEST_SIZE_MB": "1", "RATE_LIMIT_LOGIN": "5"}


class Stub:
    """A running stub server; ends with its standard input."""

    def __init__(self, **settings):
        env = {k: v for k, v in os.environ.items() if k in ("PATH", "ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS")}
        env.update(SETTINGS)
        env.update(settings)
        self.process = subprocess.Popen([SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env=env)
        self.port = int(self.process.stdout.readline())
        self.token = self.process.stdout.readline().decode().strip()
        self.admin = self.process.stdout.readline().decode().strip()

    def close(self):
        _, errors = self.process.communicate(timeout=60)
        return self.process.returncode, errors.decode("utf-8", "replace")

    def memory_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1))

    def threads(self):
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def connect(self, timeout=60):
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def talk(self, data, timeout=60):
        """Sends bytes, reads until the server closes (the request must ask for that) or is silent for long."""
        with self.connect(timeout) as sock:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # refused before all was sent
                sock.sendall(data)
            return read_all(sock)

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body, headers or {})
        reply = connection.getresponse()
        data = reply.read()
        connection.close()
        return reply.status, dict((k.lower(), v) for k, v in reply.getheaders()), data


def read_all(sock):
    got = b""
    try:
        while True:
            part = sock.recv(65536)
            if not part:
                return got
            got += part
    except (socket.timeout, ConnectionResetError):
        return got


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


class Case(unittest.TestCase):
    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.server = Stub(**cls.settings)

    @classmethod
    def tearDownClass(cls):
        status, errors = cls.server.close()
        if status != 0:
            raise AssertionError(f"the server ended with {status}: {errors[-4000:]}")


HEAD = b"Host: localhost\r\nConnection: close\r\n"


class RefusedRequests(Case):
    """Each row: a name, the bytes, the status. A second request hidden in the first must get no reply."""
    ROWS = [
        ("both lengths", b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 6\r\n"
                         b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        ("two different lengths", b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 30\r\n\r\n{}"
                                  b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        ("two equal lengths", b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400),
        ("length +3", b"POST /echo HTTP/1.1\r\n" + HEAD + b"Content-Length: +3\r\n\r\n{} ", 400),
        ("length 3, 3", b"POST /echo HTTP/1.1\r\n" + HEAD + b"Content-Length: 3, 3\r\n\r\n{} ", 400),
        ("length 0x3", b"POST /echo HTTP/1.1\r\n" + HEAD + b"Content-Length: 0x3\r\n\r\n{} ", 400),
        ("length -1", b"POST /echo HTTP/1.1\r\n" + HEAD + b"Content-Length: -1\r\n\r\n", 400),
        ("xchunked", b"POST /echo HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
        ("gzip, chunked", b"POST /echo HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
        ("space before the colon", b"POST /echo HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding : chunked\r\nContent-Length: 2\r\n\r\n{}",
         400),
        ("negative chunk", b"POST /echo HTTP/1.1\r\n" + HEAD + b"Content-Type: application/json\r\n"
                           b"Transfer-Encoding: chunked\r\n\r\n-1\r\n{}\r\n0\r\n\r\n", 400),
        ("hexadecimal chunk", b"POST /echo HTTP/1.1\r\n" + HEAD + b"Content-Type: application/json\r\n"
                              b"Transfer-Encoding: chunked\r\n\r\n0x3\r\n{} \r\n0\r\n\r\n", 400),
        ("a chunk of 2^64+3", b"POST /echo HTTP/1.1\r\n" + HEAD + b"Content-Type: application/json\r\n"
                              b"Transfer-Encoding: chunked\r\n\r\n10000000000000003\r\n{} \r\n0\r\n\r\n", 413),
        ("name with parentheses", b"GET /hello HTTP/1.1\r\n" + HEAD + b"X(Y): 1\r\n\r\n", 400),
        ("NUL in a value", b"GET /hello HTTP/1.1\r\n" + HEAD + b"X-A: a\0b\r\n\r\n", 400),
        ("control byte in a value", b"GET /hello HTTP/1.1\r\n" + HEAD + b"X-A: a\x01b\r\n\r\n", 400),
        ("NUL in the target", b"GET /hello\0/evil HTTP/1.1\r\n" + HEAD + b"\r\n", 400),
        ("no Host", b"GET /hello HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
        ("two Hosts", b"GET /hello HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\nConnection: close\r\n\r\n", 400),
        ("a Host that is none", b"GET /hello HTTP/1.1\r\nHost: localhost/x\r\nConnection: close\r\n\r\n", 400),
        ("a Host with a name of a user", b"GET /hello HTTP/1.1\r\nHost: a@localhost\r\nConnection: close\r\n\r\n", 400),
        ("a foreign Host", b"GET /hello HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n", 400),
        ("%00 in the path", b"GET /hello%00 HTTP/1.1\r\n" + HEAD + b"\r\n", 400),
        ("%2f in the path", b"GET /things%2f1 HTTP/1.1\r\n" + HEAD + b"\r\n", 400),
        ("%5c in the path", b"GET /things%5C1 HTTP/1.1\r\n" + HEAD + b"\r\n", 400),
        ("a backslash in the path", b"GET /things\\1 HTTP/1.1\r\n" + HEAD + b"\r\n", 400),
        ("dot parts", b"GET /things/../hello HTTP/1.1\r\n" + HEAD + b"\r\n", 400),
        ("escaped dot parts", b"GET /things/%2e%2e/hello HTTP/1.1\r\n" + HEAD + b"\r\n", 400),
        ("an escape that is none", b"GET /hel%zzlo HTTP/1.1\r\n" + HEAD + b"\r\n", 400),
        ("a path that is not UTF-8", b"GET /hello%ff HTTP/1.1\r\n" + HEAD + b"\r\n", 400),
        ("an overlong slash", b"GET /things%c0%af1 HTTP/1.1\r\n" + HEAD + b"\r\n", 400),
        ("a whole URL", b"GET http://localhost/hello HTTP/1.1\r\n" + HEAD + b"\r\n", 400),
        ("a double escape stays one text", b"GET /things/%2531 HTTP/1.1\r\n" + HEAD + b"\r\n", 404),
        ("a query that is not UTF-8", b"GET /hello?limit=%ff HTTP/1.1\r\n" + HEAD + b"\r\n", 400),
        ("TRACE", b"TRACE /hello HTTP/1.1\r\n" + HEAD + b"\r\n", 405),
        ("CONNECT", b"CONNECT /hello HTTP/1.1\r\n" + HEAD + b"\r\n", 405),
        ("a method that is none", b"HELLO /hello HTTP/1.1\r\n" + HEAD + b"\r\n", 405),
        ("NUL in the last value", b"GET /hello HTTP/1.1\r\n" + HEAD + b"X-B: c\r\nX-A: \0b\r\n\r\n", 400),
        ("NUL before a header's end", b"GET /hello HTTP/1.1\r\n" + HEAD + b"X-A: a\0\r\nX-B: c\r\n\r\n", 400),
        ("a folded line", b"GET /hello HTTP/1.1\r\n" + HEAD + b"X-A: a\r\n b\r\nX-B: c\r\n\r\n", 400),
        ("a blank in the path", b"GET /hel lo HTTP/1.1\r\n" + HEAD + b"\r\n", 400),
        ("a blank in the query", b"GET /hello?limit=5 HTTP/1.1 HTTP/1.1\r\n" + HEAD + b"\r\n", 400),
        ("a folded first line", b"GET /hello HTTP/1.1\r\n Host: localhost\r\nConnection: close\r\n\r\n", 400),
        ("a header of 25 kB", b"GET /hello HTTP/1.1\r\n" + HEAD + b"X-A: " + b"a" * 25000 + b"\r\n\r\n", 431),
        ("a target of 9 kB", b"GET /hello?" + b"a" * 9000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n", 414),
        ("a header of 64 kB", b"GET /hello HTTP/1.1\r\n" + HEAD + b"X-A: " + b"a" * 65536 + b"\r\n\r\n", 431),
        ("5,000 headers", b"GET /hello HTTP/1.1\r\n" + HEAD + b"X-A: b\r\n" * 5000 + b"\r\n", 431),
        ("a target of 100 kB", b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n", 414),
        ("a compressed body", b"POST /echo HTTP/1.1\r\n" + HEAD + b"Content-Type: application/json\r\nContent-Encoding: gzip\r\n"
                              b"Content-Length: 2\r\n\r\n{}", 415),
        ("a body of another type", b"POST /echo HTTP/1.1\r\n" + HEAD + b"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", 415),
        ("a body that is too long", b"POST /echo HTTP/1.1\r\n" + HEAD + b"Content-Type: application/json\r\n"
                                    b"Content-Length: 9999999\r\n\r\n", 413),
        ("chunks that are too long", b"POST /echo HTTP/1.1\r\n" + HEAD + b"Content-Type: application/json\r\n"
                                     b"Transfer-Encoding: chunked\r\n\r\n" + b"8000\r\n" + b" " * 0x8000 + b"\r\n" +
         b"8001\r\n" + b" " * 0x8001 + b"\r\n0\r\n\r\n", 413),
    ]

    # Answered by libmicrohttpd before anything of ours is asked: its own page, whose head it may send twice.
    LIBRARY = {"length +3", "length 3, 3", "length 0x3", "length -1", "negative chunk", "hexadecimal chunk", "a chunk of 2^64+3",
               "a header of 64 kB", "5,000 headers", "a target of 100 kB"}

    def test_what_must_be_refused_is_refused_and_hides_no_second_request(self):
        for name, data, status in self.ROWS:
            with self.subTest(name):
                got = self.server.talk(data)
                statuses = re.findall(rb"HTTP/1\.1 (\d+)", got)
                self.assertEqual(set(statuses), {b"%d" % status}, got[:600])
                if name not in self.LIBRARY:
                    self.assertEqual(len(statuses), 1, got[:600])
                    self.assertIn(b"X-Content-Type-Options: nosniff", got)
                    self.assertIn(b'"success":false', got)

    def test_a_plain_request_works_after_all_of_that(self):
        status, _, body = self.server.request("GET", "/hello")
        self.assertEqual((status, json.loads(body)["data"]["limit"]), (200, 50))


class SlowClients(Case):
    settings = {"HEADER_TIMEOUT_SECONDS": "0.5", "BODY_TIMEOUT_SECONDS": "0.7", "IDLE_TIMEOUT_SECONDS": "2"}

    def closed_within(self, first, drip, seconds, expect_reply=False):
        with self.server.connect() as sock:
            sock.sendall(first)
            begun = time.monotonic()
            while time.monotonic() - begun < seconds:
                try:
                    sock.sendall(drip)
                    sock.settimeout(0.1)
                    if not sock.recv(1):
                        return True
                except socket.timeout:
                    continue
                except OSError:
                    return True
        return False

    def test_a_drip_of_headers_is_closed(self):
        self.assertTrue(self.closed_within(b"GET /hello HTTP/1.1\r\nHost: localhost\r\nX-A: ", b"a", 15))

    def test_a_drip_of_a_body_is_closed(self):
        self.assertTrue(self.closed_within(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                                           b"Content-Length: 1000\r\n\r\n{", b" ", 15))

    def test_a_drip_after_a_request_is_closed(self):
        with self.server.connect() as sock:
            sock.sendall(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertTrue(sock.recv(65536).startswith(b"HTTP/1.1 200"))
            begun = time.monotonic()
            closed = False
            while not closed and time.monotonic() - begun < 20:
                try:
                    sock.sendall(b"G")
                    sock.settimeout(0.1)
                    closed = not sock.recv(1)
                except socket.timeout:
                    continue
                except OSError:
                    closed = True
            self.assertTrue(closed)

    def test_a_silent_connection_is_closed(self):
        with self.server.connect() as sock:
            self.assertEqual(read_all(sock), b"")

    def test_forty_stalled_uploads_do_not_stop_others(self):
        stalled = []
        for _ in range(30):
            sock = self.server.connect()
            sock.sendall(b"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
                         b"Content-Length: 100000\r\n\r\n--b\r\n")
            stalled.append(sock)
        self.assertEqual(self.server.request("GET", "/hello")[0], 200)
        for sock in stalled:
            sock.close()

    def test_connections_beyond_the_limit_of_an_address_are_refused(self):
        held = []
        refused = 0
        for _ in range(60):
            try:
                sock = self.server.connect(2)
                sock.sendall(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
                if sock.recv(12) == b"":
                    refused += 1
                held.append(sock)
            except OSError:
                refused += 1
        for sock in held:
            sock.close()
        self.assertGreater(refused, 0)
        self.assertTrue(until(lambda: self.server.request("GET", "/hello")[0] == 200))


class SlowReaders(Case):
    settings = {"DOWNLOAD_MIN_BYTES_PER_SECOND": "67108864", "EVENT_PING_SECONDS": "0.5"}

    def drip(self, path, seconds):
        """Reads about a megabyte a second; True when the connection was closed before so many seconds were over."""
        with self.server.connect() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            sock.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + self.server.token.encode() +
                         b"\r\n\r\n")
            begun = time.monotonic()
            while time.monotonic() - begun < seconds:
                try:
                    if not sock.recv(65536):
                        return True
                except ConnectionResetError:
                    return True
                time.sleep(0.05)
        return False

    def test_who_takes_a_stream_too_slowly_is_cut_and_who_waits_for_events_is_not(self):
        closed = {}

        def read(path, seconds):
            closed[path] = self.drip(path, seconds)

        cases = [(b"/endless?bytes=90000000", 60), (b"/events", 14)]
        threads = [threading.Thread(target=read, args=case) for case in cases]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(closed, {b"/endless?bytes=90000000": True, b"/events": False})


class Replies(Case):
    def test_every_reply_has_the_headers_of_safety(self):
        for method, path in [("GET", "/hello"), ("GET", "/nothing"), ("PATCH", "/hello"), ("GET", "/me"), ("GET", "/file"),
                             ("GET", "/docs"), ("OPTIONS", "/hello")]:
            _, headers, _ = self.server.request(method, path)
            self.assertEqual(headers["x-content-type-options"], "nosniff")
            self.assertEqual(headers["x-frame-options"], "DENY")
            self.assertEqual(headers["x-xss-protection"], "1; mode=block")
            self.assertEqual(headers["strict-transport-security"], "max-age=31536000")
            self.assertTrue(headers["content-security-policy"].startswith("default-src 'self'"))
            self.assertTrue(re.fullmatch(r"[0-9a-f]{32}", headers["x-request-id"]))

    def test_a_request_id_is_echoed_when_it_is_harmless(self):
        self.assertEqual(self.server.request("GET", "/hello", headers={"X-Request-Id": "abc-1.2_3"})[1]["x-request-id"], "abc-1.2_3")
        for bad in ["a b", "a\"b", "x" * 65, "<script>"]:
            self.assertNotEqual(self.server.request("GET", "/hello", headers={"X-Request-Id": bad})[1]["x-request-id"], bad)

    def test_options_and_unknown_methods_tell_what_is_allowed(self):
        status, headers, _ = self.server.request("OPTIONS", "/things/5")
        self.assertEqual((status, headers["allow"]), (204, "OPTIONS, GET, HEAD, DELETE"))
        status, headers, _ = self.server.request("POST", "/things/5")
        self.assertEqual((status, headers["allow"]), (405, "OPTIONS, GET, HEAD, DELETE"))
        self.assertEqual(self.server.request("OPTIONS", "/nothing")[0], 404)

    def test_head_is_get_without_the_body(self):
        for path in ["/hello", "/file", "/large", "/openapi.json"]:
            get, head = self.server.request("GET", path), self.server.request("HEAD", path)
            self.assertEqual(head[0], 200)
            self.assertEqual(head[2], b"")
            self.assertEqual(head[1].get("content-length"), get[1].get("content-length"))

    def test_listed_origins_may_read_and_others_not(self):
        good = self.server.request("GET", "/hello", headers={"Origin": "https://good.example"})[1]
        self.assertEqual(good["access-control-allow-origin"], "https://good.example")
        self.assertEqual(good["access-control-allow-credentials"], "true")
        bad = self.server.request("GET", "/hello", headers={"Origin": "https://good.example.evil"})[1]
        self.assertNotIn("access-control-allow-origin", bad)
        asked = self.server.request("OPTIONS", "/echo", headers={"Origin": "https://good.example",
                                                                  "Access-Control-Request-Method": "POST"})
        self.assertEqual(asked[0], 204)
        self.assertEqual(asked[1]["access-control-allow-methods"], "GET, POST, PUT, DELETE")

    def test_hosts_below_a_star_are_answered(self):
        self.assertEqual(self.server.request("GET", "/hello", headers={"Host": "a.example.com:80"})[0], 200)
        self.assertEqual(self.server.request("GET", "/hello", headers={"Host": "example.com"})[0], 400)

    def test_long_json_is_compressed_for_those_who_take_it(self):
        plain = self.server.request("GET", "/large")
        self.assertNotIn("content-encoding", plain[1])
        packed = self.server.request("GET", "/large", headers={"Accept-Encoding": "br, gzip;q=0.5"})
        self.assertEqual(packed[1]["content-encoding"], "gzip")
        self.assertEqual(json.loads(gzip.decompress(packed[2]))["data"], json.loads(plain[2])["data"])
        refused = self.server.request("GET", "/large", headers={"Accept-Encoding": "gzip;q=0"})
        self.assertNotIn("content-encoding", refused[1])

    def test_a_stream_is_whole_plain_and_compressed(self):
        wanted = bytes(i % 251 for i in range(1000000))
        self.assertEqual(self.server.request("GET", "/endless?bytes=1000000")[2], wanted)
        packed = self.server.request("GET", "/endless?bytes=1000000", headers={"Accept-Encoding": "gzip"})
        self.assertEqual(packed[1]["content-encoding"], "gzip")
        self.assertEqual(gzip.decompress(packed[2]), wanted)

    def test_an_error_tells_nothing_of_the_inside(self):
        status, _, body = self.server.request("GET", "/broken")
        self.assertEqual((status, json.loads(body)["error"]["code"]), (500, "INTERNAL_ERROR"))
        self.assertNotIn(b"secret", body)

    def test_rates_are_limited_with_a_time_to_come_back(self):
        statuses = [self.server.request("POST", "/login", b'{"name":"a"}', {"Content-Type": "application/json"})
                    for _ in range(12)]
        limited = [s for s in statuses if s[0] == 429]
        self.assertEqual([s[0] for s in statuses[:5]], [200] * 5)
        self.assertGreater(len(limited), 0)
        self.assertGreaterEqual(int(limited[0][1]["retry-after"]), 1)

    def test_roles_are_enforced(self):
        bearer = {"Authorization": "Bearer " + self.server.token}
        admin = {"Authorization": "Bearer " + self.server.admin}
        self.assertEqual(self.server.request("GET", "/me")[0], 401)
        self.assertEqual(self.server.request("GET", "/me")[1]["www-authenticate"], "Bearer")
        self.assertEqual(json.loads(self.server.request("GET", "/me", headers=bearer)[2])["data"]["user_id"], 7)
        self.assertEqual(self.server.request("GET", "/admin", headers=bearer)[0], 403)
        self.assertEqual(self.server.request("GET", "/admin", headers=admin)[0], 200)
        for bad in ["Basic abc", "Bearer", "Bearer x.y.z", "Bearer " + self.server.token + "A", "Bearer " + "a" * 9000]:
            self.assertEqual(self.server.request("GET", "/me", headers={"Authorization": bad})[0], 401, bad[:30])


class Bodies(Case):
    def post(self, body, path="/echo", **headers):
        return self.server.request("POST", path, body, {"Content-Type": "application/json", **headers})

    def test_broken_json_is_400_and_wrong_json_422(self):
        for body in [b"", b"{", b"[1,", b'{"name":"a","name":"b"}', b'{"name":"\\ud800"}', b'\xff', b'{"name":"a"} x',
                     b'{"a":' * 40 + b"1" + b"}" * 40, b"[" * 60000, b'{"name":1e999}', b'{"name":"a\\u0000"}', b"nul"]:
            status, _, reply = self.post(body)
            self.assertEqual((status, json.loads(reply)["error"]["code"]), (400, "MALFORMED"), body[:40])
        for body, field in [(b"{}", "name"), (b'{"name":1}', "name"), (b'{"name":""}', "name"),
                            (b'{"name":"aaaaaaaaaaaaaaaaaaaaa"}', "name"), (b'{"name":"a","x":1}', "x"),
                            (b'{"name":"a","colour":"blue"}', "colour"), (b'{"name":"a","flag":1}', "flag"),
                            (b'{"name":"a","widths":[]}', "widths"), (b'{"name":"a","widths":[1,2,3,4,5]}', "widths"),
                            (b'{"name":"a","widths":[1,0]}', "widths[1]"), (b'{"name":"a","widths":[1.5]}', "widths[0]"),
                            (b'{"name":"a","inner":{"count":true}}', "inner.count"), (b'{"name":"a","inner":{"y":1}}', "inner.y"),
                            (b'{"name":"a","email":"a"}', "email"), (b'{"name":"a","email":"a@"}', "email"),
                            (b"[]", "body"), (b"null", "body"), (b'"a"', "body"), (b"3", "body"),
                            (b'{"name":null}', "name")]:
            status, _, reply = self.post(body)
            self.assertEqual((status, json.loads(reply)["error"]["code"]), (422, "VALIDATION_ERROR"), body)
            self.assertIn(field, json.loads(reply)["error"]["details"], body)

    def test_good_json_comes_back(self):
        body = {"name": "ä\"\\\n", "colour": "green", "email": None, "widths": [1, 100], "inner": {"count": 3}, "flag": True}
        for path in ["/echo", "/echo-blocking"]:
            status, _, reply = self.post(json.dumps(body), path)
            self.assertEqual((status, json.loads(reply)["data"]), (200, body))

    def test_parameters_of_the_query_are_checked(self):
        self.assertEqual(json.loads(self.server.request("GET", "/hello?limit=7")[2])["data"]["limit"], 7)
        for query in ["limit=0", "limit=201", "limit=x", "limit=", "limit=1&limit=2", "other=1", "limit=1.5", "limit=+5",
                      "limit=99999999999999999999"]:
            status, _, reply = self.server.request("GET", "/hello?" + query)
            self.assertEqual((status, json.loads(reply)["error"]["code"]), (422, "VALIDATION_ERROR"), query)

    def test_ids_that_are_none_are_not_found(self):
        for bad in ["0", "-1", "abc", "1.5", "01", "9" * 30]:
            self.assertEqual(self.server.request("GET", "/things/" + bad)[0], 404, bad)

    def test_the_reply_to_a_refused_body_arrives_and_the_connection_goes_on(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        for path, headers, status in [("/echo", {"Content-Type": "application/json"}, 413), ("/echo", {"Content-Type": "text/plain"}, 413),
                                      ("/nothing", {}, 404), ("/hello", {}, 405), ("/upload", {"Content-Type": "text/plain"}, 415)]:
            connection.request("POST", path, b"x" * 3000000, headers)
            reply = connection.getresponse()
            self.assertEqual((reply.status, json.loads(reply.read())["success"]), (status, False), path)
        connection.close()

    def test_who_asks_before_sending_is_told_at_once(self):
        with self.server.connect() as sock:
            sock.sendall(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nExpect: 100-continue\r\n"
                         b"Content-Length: 3000\r\n\r\n")
            self.assertTrue(read_all(sock).startswith(b"HTTP/1.1 415"))

    def test_a_body_that_nobody_wants_does_no_harm(self):
        self.assertEqual(self.server.request("DELETE", "/things/1", b"x" * 1000)[0], 200)
        self.assertEqual(self.server.request("DELETE", "/things/1", b"x" * 100000)[0], 413)


def form(content, name="file", filename='filename="a.csv"', boundary=b"xyz"):
    return (b"--" + boundary + b'\r\nContent-Disposition: form-data; name="' + name.encode() + b'"; ' + filename.encode() +
            b"\r\nContent-Type: text/csv\r\n\r\n" + content + b"\r\n--" + boundary + b"--\r\n")


class Uploads(Case):
    TYPE = "multipart/form-data; boundary=xyz"

    def upload(self, body, kind=TYPE):
        status, _, reply = self.server.request("POST", "/upload", body, {"Content-Type": kind})
        return status, json.loads(reply)

    def test_the_bytes_arrive_whatever_they_are(self):
        for content in [b"", b"a", b"a\r\n", b"\r\n--xy", b"\r\n--xyz"[:-1] * 50, b"--xyz", b"\0\xff" * 70000,
                        b"\r\n--xy\r\n--x" * 9999]:
            status, reply = self.upload(form(content))
            self.assertEqual(status, 202, (content[:20], reply))
            self.assertEqual(reply["data"]["sha256"], hashlib.sha256(content).hexdigest())
            self.assertEqual(reply["data"]["size_bytes"], len(content))

    def test_the_bytes_arrive_in_whatever_pieces(self):
        body = form(b"1,2\r\n3,4\r\n\r\n--xy not yet\r\n" * 30)
        wanted = hashlib.sha256(b"1,2\r\n3,4\r\n\r\n--xy not yet\r\n" * 30).hexdigest()
        for size in [1, 2, 3, 7, 64]:
            with self.server.connect() as sock:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.sendall(b"POST /upload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: " + self.TYPE.encode() +
                             b"\r\nContent-Length: %d\r\n\r\n" % len(body))
                for at in range(0, len(body), size):
                    sock.sendall(body[at:at + size])
                got = read_all(sock)
            self.assertIn(wanted.encode(), got)

    def test_forms_that_are_none_are_refused(self):
        for body, status in [(b"", 400), (b"--xyz", 400), (form(b"a")[:-6], 400), (b"hello" + form(b"a"), 400),
                             (form(b"a", name="other"), 422), (form(b"a", filename="x=1"), 422),
                             (b"--xyz--\r\n", 422), (form(b"a")[:-4] + b"\r\n" + form(b"b")[7:], 422),
                             (b"--xyz\r\n" + b"X: " + b"a" * 20000 + b"\r\n\r\n", 400), (b"--xyzzz\r\n\r\n", 400),
                             (b"--xyz" + b" " * 80 + form(b"a")[5:], 400)]:
            got = self.upload(body)
            self.assertEqual(got[0], status, (body[:60], got))
        self.assertEqual(self.upload(form(b"a"), "multipart/form-data")[0], 400)
        self.assertEqual(self.upload(form(b"a"), "multipart/form-data; boundary=" + "x" * 80)[0], 400)
        self.assertEqual(self.upload(form(b"a"), "text/plain")[0], 415)

    def test_a_large_upload_takes_little_memory(self):
        before = self.server.memory_kib()
        block = b"0123456789abcdef" * 4096
        n = 48 * 16
        begin, end = form(b"|").split(b"|")
        hasher = hashlib.sha256()
        with self.server.connect(120) as sock:
            sock.sendall(b"POST /upload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: " + self.TYPE.encode() +
                         b"\r\nContent-Length: %d\r\n\r\n" % (len(begin) + len(end) + n * len(block)) + begin)
            for _ in range(n):
                sock.sendall(block)
                hasher.update(block)
            sock.sendall(end)
            got = read_all(sock)
        self.assertIn(hasher.hexdigest().encode(), got)
        if not os.environ.get("RF_SANITIZED"):
            self.assertLess(self.server.memory_kib() - before, 16 * 1024)


class Ranges(Case):
    SIZE = 10000000

    def get(self, value, **headers):
        return self.server.request("GET", "/file", headers={"Range": value, **headers})

    def test_one_range_gives_its_bytes(self):
        for value, first, last in [("bytes=0-0", 0, 0), ("bytes=5-9", 5, 9), ("bytes=9999999-", 9999999, 9999999),
                                   ("bytes=-3", 9999997, 9999999), ("bytes=100-99999999", 100, 9999999)]:
            status, headers, body = self.get(value)
            self.assertEqual(status, 206)
            self.assertEqual(headers["content-range"], f"bytes {first}-{last}/{self.SIZE}")
            self.assertEqual(len(body), last - first + 1)
            self.assertEqual(body[:50], bytes(i % 251 for i in range(first, min(last + 1, first + 50))))

    def test_what_lies_outside_is_416_and_what_is_no_range_is_ignored(self):
        for value in ["bytes=10000000-", "bytes=-0", "bytes=99999999999-"]:
            status, headers, _ = self.get(value)
            self.assertEqual((status, headers["content-range"]), (416, f"bytes */{self.SIZE}"))
        for value in ["bytes=5-2", "bytes=a-b", "bytes=0-1,5-6", "lines=1-2", "bytes="]:
            self.assertEqual(self.get(value)[0], 200, value)

    def test_conditions_are_looked_at(self):
        self.assertEqual(self.get("bytes=0-1", **{"If-Range": '"abc"'})[0], 206)
        self.assertEqual(self.get("bytes=0-1", **{"If-Range": '"old"'})[0], 200)
        status, headers, body = self.server.request("GET", "/file", headers={"If-None-Match": '"abc"'})
        self.assertEqual((status, body, headers["etag"]), (304, b"", '"abc"'))

    def test_a_name_cannot_break_out_of_its_header(self):
        _, headers, _ = self.get("bytes=0-1")
        self.assertNotIn("x", headers)
        self.assertEqual(headers["content-disposition"],
                         "attachment; filename=\"na_me__X: y __.csv\"; filename*=UTF-8''na%22me%0D%0AX%3A%20y%20%C3%A4.csv")

    def test_a_large_download_takes_little_memory(self):
        before = self.server.memory_kib()
        self.assertEqual(len(self.server.request("GET", "/endless?bytes=50000000")[2]), 50000000)
        if not os.environ.get("RF_SANITIZED"):
            self.assertLess(self.server.memory_kib() - before, 16 * 1024)


class LeavingClients(Case):
    def test_a_client_that_leaves_while_its_handler_runs_does_no_harm(self):
        for _ in range(30):
            sock = self.server.connect()
            sock.sendall(b"GET /slow?ms=20 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            sock.close()
        self.assertEqual(self.server.request("GET", "/slow?ms=1")[0], 200)

    def test_clients_that_leave_in_the_middle_of_things_leave_nothing_behind(self):
        self.server.request("GET", "/hello")
        before = self.server.descriptors()
        bearer = b"Authorization: Bearer " + self.server.token.encode() + b"\r\n"
        for data in [b"GET /file HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET /endless?bytes=90000000 HTTP/1.1\r\nHost: localhost\r\n\r\n",
                     b"GET /events HTTP/1.1\r\nHost: localhost\r\n" + bearer + b"\r\n",
                     b"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
                     b"Content-Length: 1000\r\n\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nab"] * 4:
            sock = self.server.connect()
            sock.sendall(data)
            if not data.startswith(b"POST"):
                sock.recv(100)
            sock.close()
        self.assertTrue(until(lambda: self.server.descriptors() <= before + 1), self.server.descriptors())

    def test_silent_streams_ping_and_are_limited_for_a_user(self):
        bearer = b"Authorization: Bearer " + self.server.admin.encode() + b"\r\n"
        ask = b"GET /events HTTP/1.1\r\nHost: localhost\r\n" + bearer + b"\r\n"
        streams = []
        for _ in range(5):
            sock = self.server.connect()
            sock.sendall(ask)
            streams.append(sock)
        for sock in streams:
            got = b""
            while b": ping" not in got:
                part = sock.recv(1000)
                self.assertTrue(part, got)
                got += part
            self.assertIn(b"text/event-stream", got)
        with self.server.connect() as sock:
            sock.sendall(ask)
            self.assertTrue(sock.recv(1000).startswith(b"HTTP/1.1 429"))
        for sock in streams:
            sock.close()

        def is_let_in():
            with self.server.connect() as sock:
                sock.sendall(ask)
                return sock.recv(12) == b"HTTP/1.1 200"

        self.assertTrue(until(is_let_in))


class Endings(unittest.TestCase):
    def test_the_end_waits_for_handlers_and_ends_streams(self):
        server = Stub()
        got = {}

        def slow():
            got["slow"] = server.request("GET", "/slow?ms=800")[0]

        bearer = b"Authorization: Bearer " + server.token.encode() + b"\r\n"
        stream = server.connect()
        stream.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n" + bearer + b"\r\n")
        self.assertTrue(stream.recv(1000).startswith(b"HTTP/1.1 200"))
        idle = server.connect()
        thread = threading.Thread(target=slow)
        thread.start()
        time.sleep(0.2)
        status, errors = server.close()
        thread.join()
        self.assertEqual((status, got["slow"]), (0, 200), errors[-2000:])
        read_all(stream)
        stream.close()
        idle.close()


if __name__ == "__main__":
    unittest.main()
