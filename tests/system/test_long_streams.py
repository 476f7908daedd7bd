"""Streams that are long or slow: a sample outlasts the time of a job, and a reader that stalls is let go."""
import http.client
import json
import time
import unittest

from service import ServiceCase


class Reader:
    """A reply that is read when the test says so."""

    def __init__(self, user, method, path, body=None, headers=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", user.service.port, timeout=240)
        headers = dict(headers or {}, Authorization=f"Bearer {user.token}")
        if body is not None:
            headers["Content-Type"] = "application/json"
        self.connection.request(method, path, None if body is None else json.dumps(body), headers)
        self.reply = self.connection.getresponse()

    def rest(self):
        try:
            return self.reply.read()
        finally:
            self.connection.close()


class LongSamples(ServiceCase):
    def test_a_sample_outlasts_the_longest_time_of_a_job(self):
        service = self.serve()
        user = service.user()
        user.wait(user.start(user.upload(self.csv(400)), model="tvae"))
        model = user.ok("GET", "/models").data["items"][0]["id"]
        service.term()
        service.settings["REQUEST_TIMEOUT_SECONDS"] = "1"
        service.start()
        ask = {"rows": 1000000, "seed": 3}  # more than the parts that wait for a reader and the sockets hold
        begun = time.monotonic()
        reader = Reader(user, "POST", f"/models/{model}/sample", ask)
        self.assertEqual(reader.reply.status, 200)
        first = reader.reply.read(1000)
        while time.monotonic() < begun + 2.5:  # the passing of time is what this is about
            time.sleep(0.1)
        rest = reader.rest()
        self.assertEqual((first + rest).count(b"\n"), 1000001)


if __name__ == "__main__":
    unittest.main()
