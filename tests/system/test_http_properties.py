"""Every route of openapi.json, with requests that fit it and requests that do not: the replies are the documented ones.

What is checked for each reply: no 5xx; a documented status; a body that fits the schema of that status; a request that does not fit is
refused with a 4xx; nobody without a token, with another role or with another's ids gets anything; methods that are not there
answer 405. ROWFORGE_EXAMPLES sets how many requests are made for each route and property.
"""
import copy
import json
import os
import random
import re
import signal
import subprocess
import time
import unittest
import http.client

try:
    import jsonschema
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st
except ImportError:
    jsonschema = None

import driver

EXAMPLES = int(os.environ.get("ROWFORGE_EXAMPLES", "12"))
PASSWORD = "correct horse battery"


class Server:
    """rowforge serve on a free port, with an administrator and two users."""

    def __init__(self, folder):
        self.folder = folder
        self.env = dict(os.environ, PORT="0", DATA_DIR=os.path.join(folder, "data"), PASSWORD_COST="4", LOG_LEVEL="error", ACCESS_LOG="false",
                        RATE_LIMIT_ENABLED="false", REQUIRE_APPROVAL="true", HTTP_THREADS="1", MAX_QUEUED_GENERATIONS="1000000")
        done = subprocess.run([driver.BINARY, "admin", "create-user", "--email", "root@example.com", "--role", "admin"],
                              input=PASSWORD.encode(), env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode != 0:
            raise AssertionError(done.stdout.decode())
        self.process = subprocess.Popen([driver.BINARY, "serve"], env=self.env, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().rsplit(":", 1)[1])
        self.document = self.json("GET", "/openapi.json")[1]
        for name in ("ada", "bob"):
            self.json("POST", "/auth/register", {"email": name + "@example.com", "password": PASSWORD})
        self.tokens = {name: self.login(name) for name in ("root", "ada", "bob")}

    def login(self, name):
        return self.json("POST", "/auth/login", {"email": name + "@example.com", "password": PASSWORD})[1]["data"]["access_token"]

    def request(self, method, path, body=None, token=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = "Bearer " + token
        try:
            connection.request(method, path, body, headers)
            reply = connection.getresponse()
            kind = reply.getheader("Content-Type") or ""
            data = reply.read(4096) if kind.startswith("text/event-stream") else reply.read()
            return reply.status, kind, data, reply
        finally:
            connection.close()

    def json(self, method, path, body=None, token=None):
        data = None if body is None else json.dumps(body).encode()
        status, _, reply, _ = self.request(method, path, data, token, {"Content-Type": "application/json"} if data else {})
        return status, json.loads(reply)

    def upload(self, token, content=None):
        rows = "\n".join(f"{i},{i * 7 % 13},{'abc'[i % 3]},{random.random():.3f}" for i in range(80))
        content = content if content is not None else "a,b,c,d\n" + rows + "\n"
        body = ('--b\r\nContent-Disposition: form-data; name="file"; filename="t.csv"\r\n\r\n' + content + "\r\n--b--\r\n").encode()
        status, _, reply, _ = self.request("POST", "/upload/dataset", body, token, {"Content-Type": "multipart/form-data; boundary=b"})
        return status, json.loads(reply)

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def resolve(document, schema):
    """A copy of the schema that stands alone: references are looked up beside it."""
    return {**schema, "components": document["components"]}


# ---- values that fit a schema ------------------------------------------------------------------

def strategy(document, schema):
    if "$ref" in schema:
        return strategy(document, document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
    for word in ("allOf", "anyOf", "oneOf"):
        if word in schema:
            return st.one_of([strategy(document, s) for s in schema[word]])
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema.get("type")
    if isinstance(kind, list):
        return st.one_of(st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=8), st.integers(-5, 5), st.booleans())
    if kind == "object":
        return objects(document, schema)
    if kind == "array":
        return st.lists(strategy(document, schema.get("items", {})), min_size=schema.get("minItems", 0),
                        max_size=min(schema.get("maxItems", 4), 4))
    if kind == "integer":
        low = int(schema.get("minimum", -9))
        return st.integers(low, max(low, min(int(schema.get("maximum", 9)), low + 10 ** 6)))
    if kind == "number":
        return st.floats(schema.get("minimum", -9), schema.get("maximum", 9), allow_nan=False)
    if kind == "boolean":
        return st.booleans()
    if kind == "null":
        return st.none()
    if kind == "string" and schema.get("format") == "email":
        return st.from_regex(r"[a-z]{1,12}[0-9]{1,8}@[a-z]{1,9}\.example", fullmatch=True)
    if kind == "string":
        low = schema.get("minLength", 0)
        return st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=low, max_size=max(low, min(schema.get("maxLength", 20), low + 20)))
    return st.none()


@st.composite
def composed(draw, document, schema):
    out = {}
    for name, inner in schema.get("properties", {}).items():
        if name in schema.get("required", []) or draw(st.booleans()):
            out[name] = draw(strategy(document, inner))
    if isinstance(schema.get("additionalProperties"), dict):
        for name in draw(st.lists(st.sampled_from(["a", "b", "c", "x"]), max_size=3, unique=True)):
            out[name] = draw(strategy(document, schema["additionalProperties"]))
    return out


def objects(document, schema):
    return composed(document, schema)


JUNK = [None, True, -1, 0, 10 ** 30, 1.5, -1e300, "", "x" * 3000, "\u0000", "<script>", "' OR 1=1 --", "../../etc/passwd", [], [[]], {}, {"a": {}},
        [1] * 500]


@st.composite
def spoiled(draw, document, schema):
    """A value that fits but for one thing: a field that is unknown, missing or something else."""
    value = draw(strategy(document, schema))
    if not isinstance(value, dict):
        return draw(st.sampled_from(JUNK))
    value = copy.deepcopy(value)
    names = sorted(value)
    how = draw(st.sampled_from(["unknown", "missing", "junk", "whole"]))
    if how == "whole":
        return draw(st.sampled_from(JUNK))
    if how == "unknown" or not names:
        value[draw(st.sampled_from(["zz", "user_id", "role", "state", "attempt_token", "__proto__"]))] = draw(st.sampled_from(JUNK))
    elif how == "missing":
        del value[draw(st.sampled_from(names))]
    else:
        value[draw(st.sampled_from(names))] = draw(st.sampled_from(JUNK))
    return value


BODIES = [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"a":1,"a":2}', b"[" * 5000, b'{"a":' * 100 + b"1" + b"}" * 100, b"1" * 5000, b'"\\ud800"',
          b"{}x", b"\0", b'{"a":1e999}', b'{"' + b"a" * 60000 + b'":1}']


@unittest.skipUnless(jsonschema, "python3-hypothesis and python3-jsonschema are not installed")
class Properties(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.case = driver.Case("setUp")
        cls.case.setUp()
        cls.server = Server(cls.case.folder)
        cls.document = cls.server.document
        cls.things = {}
        for name in ("ada", "bob"):
            token = cls.server.tokens[name]
            dataset = cls.server.upload(token)[1]["data"]["id"]
            for _ in range(200):
                if cls.server.json("GET", f"/upload/datasets/{dataset}", token=token)[1]["data"]["status"] == "ready":
                    break
                time.sleep(0.05)
            job = cls.server.json("POST", "/generation/start", {"dataset_id": dataset, "sample_size": 100}, token)[1]["data"]["id"]
            cls.things[name] = {"dataset": dataset, "request": job}

    @classmethod
    def tearDownClass(cls):
        status = cls.server.close()
        cls.case.doCleanups()
        assert status == 0, status

    # ---- what is asked

    def ids(self, path, owner):
        thing = self.things[owner]
        return thing["dataset"] if "dataset" in path else thing["request"] if "generation" in path or "approve" in path or "reject" in path else 1

    def fill(self, path, owner="ada", value=None):
        def one(match):
            if value is not None:
                return str(value)
            return {"id": str(self.ids(path, owner)), "name": "nothing", "token": "abc.def", "file": "swagger-ui.css"}[match.group(1)]
        return re.sub(r"\{(\w+)\}", one, path)

    def token_for(self, operation):
        return {None: None, "user": self.server.tokens["ada"], "admin": self.server.tokens["root"]}[operation.get("x-role")]

    # ---- what is answered

    def check(self, path, method, operation, status, kind, data):
        where = f"{method} {path} -> {status} {data[:400]!r}"
        self.assertLess(status, 500, where)
        self.assertIn(str(status), operation["responses"], where)
        content = operation["responses"][str(status)]["content"]
        plain = kind.split(";")[0]
        self.assertIn(plain, [k.split(";")[0] for k in content], where)
        if plain == "application/json":
            schema = content["application/json"]["schema"]
            jsonschema.Draft202012Validator(resolve(self.document, schema)).validate(json.loads(data))

    def ask(self, path, method, operation, *, where=None, body=None, token="right", headers=None):
        token = self.token_for(operation) if token == "right" else token
        status, kind, data, _ = self.server.request(method, where or self.fill(path), body, token, headers)
        self.check(path, method, operation, status, kind, data)
        return status, data

    def harmless(self, path, method):
        """Routes that would end the session or the things that others are tested with."""
        return path not in ("/auth/logout",) and method != "DELETE" and path not in ("/generation/events/{id}", "/admin/users/{id}/toggle",
                                                                                   "/admin/reject/{id}", "/admin/approve/{id}")

    # ---- properties

    def test_the_document_is_a_good_one(self):
        self.assertEqual(self.document["openapi"], "3.1.0")
        names = set()
        for path, method, operation in operations(self.document):
            with self.subTest(f"{method} {path}"):
                self.assertNotIn(operation["operationId"], names)
                names.add(operation["operationId"])
                self.assertTrue(operation["summary"])
                self.assertIn("400", operation["responses"])
                self.assertEqual(bool(operation["security"]), "x-role" in operation)
                self.assertEqual(re.findall(r"\{(\w+)\}", path), [p["name"] for p in operation["parameters"] if p["in"] == "path"])
                for part in operation.get("requestBody", {}).get("content", {}).values():
                    jsonschema.Draft202012Validator.check_schema(part["schema"])
                    if "example" in part:
                        jsonschema.Draft202012Validator(resolve(self.document, part["schema"])).validate(part["example"])
                for reply in operation["responses"].values():
                    for part in reply["content"].values():
                        jsonschema.Draft202012Validator.check_schema(part["schema"])
        for name, schema in self.document["components"]["schemas"].items():
            jsonschema.Draft202012Validator.check_schema(schema)
            for example in schema.get("examples", []):
                jsonschema.Draft202012Validator(resolve(self.document, schema)).validate(example)

    def test_routes_that_are_not_there_are_not_found(self):
        for path in ["/", "/users/profile", "/stats/dashboard", "/stats/usage", "/notifications", "/admin/logs", "/optimization/start",
                     "/auth", "/auth/", "/auth/me/", "/generation/status", "/generation/status/x", "/openapi.yaml"]:
            self.assertEqual(self.server.request("GET", path, token=self.server.tokens["root"])[0], 404, path)

    def test_nobody_comes_in_without_a_token_and_users_are_no_administrators(self):
        for path, method, operation in operations(self.document):
            if "x-role" not in operation:
                continue
            with self.subTest(f"{method} {path}"):
                for bad in [None, "x", self.server.tokens["ada"][:-2] + "AA", "a.b.c"]:
                    self.assertEqual(self.ask(path, method, operation, token=bad)[0], 401)
                if operation["x-role"] == "admin":
                    self.assertEqual(self.ask(path, method, operation, token=self.server.tokens["ada"])[0], 403)

    def test_the_ids_of_others_are_not_found(self):
        for path, method, operation in operations(self.document):
            if "{id}" not in path or operation.get("x-role") != "user" or path.startswith("/models"):
                continue
            with self.subTest(f"{method} {path}"):
                body = b'{"columns":{"a":"id"}}' if method == "PUT" else None
                headers = {"Content-Type": "application/json"} if body else {}
                status, reply = self.ask(path, method, operation, where=self.fill(path, "bob"), body=body, headers=headers)
                self.assertEqual(status, 404, reply)
                absent = self.ask(path, method, operation, where=self.fill(path, value=999999999), body=body, headers=headers)
                self.assertEqual(absent[0], 404)
        status, reply = self.server.json("POST", "/generation/start", {"dataset_id": self.things["bob"]["dataset"]}, self.server.tokens["ada"])
        self.assertEqual((status, reply["error"]["code"]), (404, "NOT_FOUND"))

    def test_ids_that_cannot_be_are_refused(self):
        for path, method, operation in operations(self.document):
            if "{" not in path:
                continue
            for value in ["0", "-1", "1.5", "x", "9" * 25, "%20", "1;2", "1'--", "%F0%9F%98%80"]:
                with self.subTest(f"{method} {path} {value}"):
                    status, _, data, _ = self.server.request(method, self.fill(path, value=value), None, self.token_for(operation))
                    self.assertTrue(400 <= status < 500, (status, data))
            for value in ["%00", "..", "%2e%2e", "a%2fb", "%2e%2e%2f"]:
                status, _, data, _ = self.server.request(method, self.fill(path, value=value), None, self.token_for(operation))
                self.assertEqual(status, 400, (method, path, value, data))

    def test_methods_that_are_not_there_answer_405(self):
        for path, methods in self.document["paths"].items():
            for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT"]:
                if method.lower() in methods:
                    continue
                status, _, _, reply = self.server.request(method, self.fill(path), None, self.server.tokens["root"])
                self.assertEqual(status, 405, (method, path))
                self.assertIn(list(methods)[0].upper(), reply.getheader("Allow"))

    def test_bodies_that_are_no_json_are_refused(self):
        for path, method, operation in operations(self.document):
            if "application/json" not in operation.get("requestBody", {}).get("content", {}):
                continue
            for body in BODIES:
                if body == b"" and not operation["requestBody"]["required"]:
                    continue
                with self.subTest(f"{method} {path} {body[:20]!r}"):
                    status, _ = self.ask(path, method, operation, body=body, headers={"Content-Type": "application/json"})
                    self.assertIn(status, (400, 404, 415, 422))
            status, _ = self.ask(path, method, operation, body=b"{}", headers={"Content-Type": "application/json", "Content-Length": str(64 << 20)})
            self.assertEqual(status, 413)
            self.assertEqual(self.ask(path, method, operation, body=b"a=1", headers={"Content-Type": "application/x-www-form-urlencoded"})[0], 415)

    def test_queries_that_do_not_fit_are_refused(self):
        for path, method, operation in operations(self.document):
            if method != "GET" or path == "/generation/events/{id}":
                continue
            for query in ["zz=1", "limit=0", "limit=201", "limit=x", "cursor=", "cursor=%21", "cursor=abc", "status=none", "inline=2", "limit=1&limit=1"]:
                name = query.split("=")[0]
                with self.subTest(f"{path}?{query}"):
                    status, _, data, _ = self.server.request("GET", self.fill(path) + "?" + query, None, self.token_for(operation))
                    self.assertEqual(status, 422, (name, data))
            self.assertEqual(self.server.request("GET", self.fill(path) + "?a=%zz", None, self.token_for(operation))[0], 400)

    def run_property(self, make, judge):
        for path, method, operation in operations(self.document):
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if content and self.harmless(path, method):
                with self.subTest(f"{method} {path}"):
                    self.run_one(path, method, operation, content["schema"], make, judge)

    def run_one(self, path, method, operation, schema, make, judge):
        @settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(make(self.document, schema))
        def once(body):
            status, data = self.ask(path, method, operation, body=json.dumps(body).encode(), headers={"Content-Type": "application/json"})
            judge(path, schema, body, status, data)
        once()

    def test_bodies_that_fit_are_answered_as_documented(self):
        def judge(path, _schema, body, status, data):
            # what a schema cannot say: passwords in bytes, batch sizes, what this version has not, names of columns
            self.assertIn(status, (200, 201, 202, 401, 404, 409, 422), (path, body, data))
            self.assertNotEqual(json.loads(data).get("error", {}).get("code"), "MALFORMED", (path, body, data))
        self.run_property(strategy, judge)

    def test_bodies_that_do_not_fit_are_refused(self):
        def judge(path, schema, body, status, data):
            fits = not list(jsonschema.Draft202012Validator(resolve(self.document, schema)).iter_errors(body))
            if not fits:
                self.assertIn(status, (400, 413, 422), (path, body, data))
        self.run_property(spoiled, judge)

    def test_what_was_made_can_be_read_and_what_was_deleted_not(self):
        token = self.server.tokens["ada"]
        dataset = self.server.upload(token)[1]["data"]["id"]
        job = self.server.json("POST", "/generation/start", {"dataset_id": dataset, "sample_size": 100}, token)[1]["data"]["id"]
        self.assertEqual(self.server.json("GET", f"/generation/status/{job}", token=token)[1]["data"]["status"], "pending_approval")
        self.assertEqual(self.server.json("GET", f"/generation/download/{job}", token=token)[1]["error"]["code"], "NOT_READY")
        self.assertEqual(self.server.json("DELETE", f"/upload/datasets/{dataset}", token=token)[0], 409)
        self.assertEqual(self.server.json("DELETE", f"/generation/requests/{job}", token=token)[0], 200)
        self.assertEqual(self.server.json("GET", f"/generation/status/{job}", token=token)[1]["data"]["status"], "cancelled")
        for _ in range(200):
            if self.server.json("DELETE", f"/upload/datasets/{dataset}", token=token)[0] == 200:
                break
            time.sleep(0.05)
        self.assertEqual(self.server.json("GET", f"/upload/datasets/{dataset}", token=token)[0], 404)
        self.assertEqual(self.server.json("DELETE", f"/upload/datasets/{dataset}", token=token)[0], 404)

    def test_lists_come_in_pages_newest_first(self):
        token = self.server.tokens["bob"]
        for _ in range(5):
            self.server.upload(token)
        seen, cursor = [], None
        while True:
            query = "?limit=2" + (f"&cursor={cursor}" if cursor else "")
            page = self.server.json("GET", "/upload/datasets" + query, token=token)[1]["data"]
            seen += [item["id"] for item in page["items"]]
            cursor = page["next_cursor"]
            if not cursor:
                break
        self.assertEqual(seen, sorted(seen, reverse=True))
        self.assertEqual(len(seen), len(set(seen)))
        self.assertGreaterEqual(len(seen), 6)

    def test_a_key_gives_the_first_reply_again_and_no_other(self):
        token = self.server.tokens["ada"]
        dataset = self.things["ada"]["dataset"]

        def start(body, key):
            status, _, data, _ = self.server.request("POST", "/generation/start", json.dumps(body).encode(), token,
                                                     {"Content-Type": "application/json", "Idempotency-Key": key})
            return status, data
        first = start({"dataset_id": dataset, "sample_size": 150}, "key one")
        self.assertEqual(first[0], 202)
        self.assertEqual(start({"dataset_id": dataset, "sample_size": 150}, "key one"), first)
        self.assertEqual(start({"dataset_id": dataset, "sample_size": 151}, "key one")[0], 409)
        self.assertEqual(start({"dataset_id": dataset, "sample_size": 151}, "x" * 300)[0], 422)
        self.assertNotEqual(start({"dataset_id": dataset, "sample_size": 150}, "key two")[1], first[1])


if __name__ == "__main__":
    unittest.main()
