"""An upload or a download of any size holds little memory of the server: it goes through block by block.

ROWFORGE_LARGE_MB chooses the size; the promise is for 500, the default is quick.
"""
import glob
import hashlib
import http.client
import os
import re
import unittest
import urllib.parse

from service import ServiceCase

LARGE = int(os.environ.get("ROWFORGE_LARGE_MB", "48")) << 20
MOST_KIB = 16 << 10
BLOCK = b"".join(b"%07d,some text of a row,%d.5\n" % (i, i % 97) for i in range(40000))  # about a megabyte


def pieces(size):
    while size > 0:
        yield BLOCK[:size]
        size -= len(BLOCK)


def sha256_of(size):
    digest = hashlib.sha256()
    for piece in pieces(size):
        digest.update(piece)
    return digest.hexdigest()


class LargeFiles(ServiceCase):
    def memory(self, name):
        with open(f"/proc/{self.service.process.pid}/status", encoding="ascii") as file:
            return int(re.search(name + r":\s+(\d+)", file.read()).group(1))

    def held(self, transfer, what):
        """What the transfer gave; it may hold so much more than the idle server and not more."""
        with open(f"/proc/{self.service.process.pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")  # the peak begins anew
        idle = self.memory("VmRSS")
        given = transfer()
        held = self.memory("VmHWM") - idle
        if os.environ.get("ROWFORGE_LARGE_MB"):
            print(f"{what}: {held / 1024:.1f} MiB over an idle server of {idle / 1024:.1f} MiB")
        if not any(name.endswith("SAN_OPTIONS") for name in os.environ):
            self.assertLess(held, MOST_KIB, what)
        return given

    def upload(self, user, size):
        edge = "edge-of-the-tests"
        head = (f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="large.csv"\r\n\r\n').encode()
        tail = f"\r\n--{edge}--\r\n".encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=240)
        connection.putrequest("POST", "/upload/dataset")
        connection.putheader("Authorization", "Bearer " + user.token)
        connection.putheader("Content-Type", f"multipart/form-data; boundary={edge}")
        connection.putheader("Content-Length", str(len(head) + size + len(tail)))
        connection.endheaders()
        connection.send(head)
        for piece in pieces(size):
            connection.send(piece)
        connection.send(tail)
        reply = connection.getresponse()
        self.assertEqual(reply.status, 202)
        body = reply.read()
        connection.close()
        return body

    def fetch(self, path, headers=None, ask=None):
        """Status, how many bytes, their digest."""
        connection = http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=240)
        connection.request("POST" if ask else "GET", path, ask, headers or {})
        reply = connection.getresponse()
        digest, n = hashlib.sha256(), 0
        while True:
            part = reply.read(1 << 18)
            if not part:
                break
            digest.update(part)
            n += len(part)
        connection.close()
        return reply.status, n, digest.hexdigest()

    def result_of(self, size):
        """A request whose result has that size: a small one was made, then its object was exchanged."""
        user = self.service.user()
        job = user.start(user.upload(self.csv(100)), epochs=10)
        user.wait(job)
        self.service.term()
        path = glob.glob(os.path.join(self.service.data, "objects", "jobs", str(job), "*", "data.csv"))[0]
        with open(path, "wb") as file:
            for piece in pieces(size):
                file.write(piece)
        digest = sha256_of(size)
        with open(os.path.join(os.path.dirname(path), ".data.csv.sha256"), "w", encoding="ascii") as file:
            file.write(f"{digest} {size}\n")
        with self.service.database() as db:
            changed = db.execute("UPDATE artifacts SET size_bytes = ?, sha256 = ? WHERE job_id = ? AND object_key LIKE '%/data.csv'",
                                 (size, digest, job)).rowcount
        self.assertEqual(changed, 1)
        self.service.start()
        return self.service.login(), job, digest

    def test_an_upload_holds_little_memory(self):
        self.service = self.serve(WORKERS="0")
        user = self.service.user()
        user.upload(self.csv(100))  # whatever is made at the first one
        size = LARGE - (1 << 20)  # the form counts too
        body = self.held(lambda: self.upload(user, size), "upload")
        self.assertIn(sha256_of(size).encode(), body)

    def test_a_download_holds_little_memory(self):
        self.service = self.serve()
        user, job, digest = self.result_of(LARGE)
        mine = {"Authorization": "Bearer " + user.token}
        link = urllib.parse.urlsplit(user.ok("GET", f"/generation/download/{job}").data["url"]).path
        inline = f"/generation/download/{job}?inline=1"
        self.fetch(inline, {**mine, "Range": "bytes=0-9"})
        packed = {"Accept-Encoding": "gzip"}
        for what, path, headers, want in [
                ("inline", inline, mine, (200, LARGE, digest)), ("inline, gzip accepted", inline, {**mine, **packed}, (200, LARGE, digest)),
                ("signed address", link, {}, (200, LARGE, digest)), ("signed address, gzip accepted", link, packed, (200, LARGE, digest)),
                ("a range from 0", link, {"Range": "bytes=0-"}, (206, LARGE, digest))]:
            with self.subTest(what):
                self.assertEqual(self.held(lambda p=path, h=headers: self.fetch(p, h), what), want)
        status, n, _ = self.held(lambda: self.fetch(link, {"Range": f"bytes={LARGE // 3}-"}), "a range from the middle")
        self.assertEqual((status, n), (206, LARGE - LARGE // 3))

    def test_a_sample_holds_little_memory(self):
        self.service = self.serve()
        user = self.service.user()
        user.wait(user.start(user.upload(self.csv(100)), model="tvae"))
        path = f"/models/{user.ok('GET', '/models').data['items'][0]['id']}/sample"
        headers = {"Authorization": "Bearer " + user.token, "Content-Type": "application/json"}
        self.fetch(path, headers, '{"rows": 10}')
        ask = '{"rows": %d, "seed": 1}' % (LARGE // 50)  # some 50 bytes a row
        for what, more in [("sample", {}), ("sample, compressed", {"Accept-Encoding": "gzip"})]:
            status, n, _ = self.held(lambda m=more: self.fetch(path, {**headers, **m}, ask), what)
            self.assertEqual(status, 200)
            self.assertGreater(n, LARGE // 8)


if __name__ == "__main__":
    unittest.main()
