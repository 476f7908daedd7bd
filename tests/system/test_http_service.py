"""The interface of the service, end to end: accounts, datasets, generation, results, models, administration, operations."""
import gzip
import http.client
import json
import os
import re
import time
import unittest
import urllib.parse

from service import ServiceCase, until


def events_of(user, job, last_id=None, most=None):
    """[(id, event, data)] of the stream until its end, or until so many came."""
    connection = http.client.HTTPConnection("127.0.0.1", user.service.port, timeout=120)
    headers = {"Authorization": "Bearer " + user.token}
    if last_id is not None:
        headers["Last-Event-ID"] = str(last_id)
    connection.request("GET", f"/generation/events/{job}", headers=headers)
    reply = connection.getresponse()
    if reply.status != 200:
        connection.close()
        return reply.status
    found, now = [], {}
    while most is None or len(found) < most:
        line = reply.readline().decode()
        if not line:
            break
        if line == "\n":
            if "event" in now:
                found.append((now.get("id"), now["event"], json.loads(now["data"])))
                if now["event"] == "end":
                    break
            now = {}
        elif not line.startswith(":"):
            name, _, value = line.rstrip("\n").partition(": ")
            now[name] = int(value) if name == "id" else value
    connection.close()
    return found


class Accounts(ServiceCase):
    def test_tokens_rotate_and_one_that_is_used_twice_ends_the_session(self):
        service = self.serve(WORKERS="0")
        service.user()
        nobody = service.anonymous()
        first = nobody.ok("POST", "/auth/login", {"email": "ann@example.org", "password": "correct horse"}).data
        self.assertEqual((first["token_type"], first["expires_in"]), ("bearer", 1800))
        second = nobody.ok("POST", "/auth/refresh", {"refresh_token": first["refresh_token"]}).data
        self.assertNotEqual(first["refresh_token"], second["refresh_token"])
        self.assertEqual(nobody.send("POST", "/auth/refresh", {"refresh_token": first["refresh_token"]}).status, 401)
        self.assertEqual(nobody.send("POST", "/auth/refresh", {"refresh_token": second["refresh_token"]}).status, 401)
        nobody.token = second["access_token"]
        self.assertTrue(until(lambda: nobody.send("GET", "/auth/me").status == 401, "the end of the session"))

    def test_logging_out_ends_this_session_and_no_other(self):
        service = self.serve(WORKERS="0")
        one, other = service.user(), service.login()
        one.ok("POST", "/auth/logout")
        until(lambda: one.send("GET", "/auth/me").status == 401, "the end of the session")
        self.assertEqual(other.ok("GET", "/auth/me").data["email"], "ann@example.org")

    def test_a_wrong_password_and_an_unknown_account_look_the_same(self):
        service = self.serve(WORKERS="0")
        service.user()
        nobody = service.anonymous()
        wrong = nobody.send("POST", "/auth/login", {"email": "ann@example.org", "password": "wrong horse"})
        unknown = nobody.send("POST", "/auth/login", {"email": "eve@example.org", "password": "wrong horse"})
        self.assertEqual((wrong.status, wrong.error), (401, unknown.error))

    def test_what_cannot_be_an_account_is_refused_by_field(self):
        service = self.serve(WORKERS="0")
        nobody = service.anonymous()
        for body, field in [({"email": "a@b.example", "password": "short"}, "password"), ({"email": "a", "password": "long enough"}, "email"),
                            ({"email": "a@b.example", "password": "ä" * 40}, "password"), ({"password": "long enough"}, "email"),
                            ({"email": "a@b.example", "password": "long enough", "role": "admin"}, "role")]:
            reply = nobody.send("POST", "/auth/register", body)
            self.assertEqual((reply.status, reply.error["code"]), (422, "VALIDATION_ERROR"), body)
            self.assertIn(field, reply.error["details"], body)
        service.user()
        self.assertEqual(nobody.send("POST", "/auth/register", {"email": "ANN@example.org", "password": "long enough"}).status, 409)

    def test_rates_are_limited_by_address_and_by_account(self):
        service = self.serve(WORKERS="0", RATE_LIMIT_ENABLED="true", RATE_LIMIT_REGISTER="3", RATE_LIMIT_LOGIN_FAILURES="2")
        service.user()
        nobody = service.anonymous()
        statuses = [nobody.send("POST", "/auth/login", {"email": "ann@example.org", "password": "wrong horse"}).status for _ in range(5)]
        self.assertEqual(statuses[:2], [401, 401])
        self.assertIn(429, statuses)
        limited = nobody.send("POST", "/auth/login", {"email": "ann@example.org", "password": "correct horse"})
        self.assertEqual((limited.status, limited.error["code"]), (429, "RATE_LIMITED"))
        self.assertGreater(int(limited.headers["Retry-After"]), 0)
        replies = [nobody.send("POST", "/auth/register", {"email": f"u{i}@example.org", "password": "long enough"}) for i in range(5)]
        self.assertEqual([r.status for r in replies][-1], 429)


class Sentences(ServiceCase):
    """What is told to somebody who got it wrong says what to do."""

    def refused(self, user, status, part, method, path, body=None, headers=None, field=None):
        reply = user.send(method, path, body, headers)
        self.assertEqual(reply.status, status, reply.body)
        self.assertIn(part, reply.error["message"] + str(reply.error["details"]))
        if field:
            self.assertEqual(list(reply.error["details"]), [field])

    def test_bodies_that_are_no_json(self):
        nobody = self.serve().anonymous()
        kind = {"Content-Type": "application/json"}
        for body, part in [("", "the body is empty"), ('{"email": "a', "ends too soon"), ('{"email": "a\\u0000"}', "\\u0000"),
                           (b'{"email": "\xff"}', "not UTF-8")]:
            self.refused(nobody, 400, part, "POST", "/auth/login", body, kind)
        self.refused(nobody, 422, "did you mean password?", "POST", "/auth/login", {"email": "a@example.org", "pasword": "x"})
        self.refused(nobody, 422, "must not be empty", "POST", "/auth/login", {"email": "a@example.org", "password": ""}, field="password")

    def test_forms_without_a_file(self):
        user = self.serve().user()
        kind = {"Content-Type": "multipart/form-data; boundary=e"}
        for disposition, content, part in [('name="file"', "a,b", "has no file name"), ('name="file"; filename="t.csv"', "", "is empty")]:
            self.refused(user, 422, part, "POST", "/upload/dataset",
                         f"--e\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{content}\r\n--e--\r\n", kind, field="file")

    def test_columns_that_are_nearly_right(self):
        user = self.serve().user()
        dataset = user.upload(self.csv(200))
        until(lambda: user.ok("GET", f"/upload/datasets/{dataset}").data["status"] == "ready", "a profile")
        self.refused(user, 422, 'did you mean "region"?', "PUT", f"/upload/datasets/{dataset}/columns", {"columns": {"regoin": "id"}},
                     field="columns.regoin")
        for conditions, part in [({"regoin": "north"}, 'did you mean "region"?'), ({"region": "up"}, 'it holds "'), ({"member": True}, '"yes"'),
                                 ({"age": 500}, "goes from"), ({"id": "C100000"}, "no condition")]:
            self.refused(user, 422, part, "POST", "/generation-v2/start", {"dataset_id": dataset, "conditions": conditions},
                         field="conditions." + next(iter(conditions)))
        self.assertEqual(user.ok("GET", "/generation/requests").data["items"], [])

    def test_a_table_of_one_row_is_told_before_a_job_fails(self):
        user = self.serve().user()
        dataset = user.upload(b"a,b\n1,x\n")
        until(lambda: user.ok("GET", f"/upload/datasets/{dataset}").data["status"] == "ready", "a profile")
        for path in ["/generation-v2/validate", "/generation/start"]:
            self.refused(user, 422, "at least two", "POST", path, {"dataset_id": dataset}, field="dataset_id")

    def test_what_is_allowed_and_hardly_meant(self):
        user = self.serve(MAX_EPOCHS="120").user()
        dataset = user.upload(self.csv(200))
        until(lambda: user.ok("GET", f"/upload/datasets/{dataset}").data["status"] == "ready", "a profile")

        def validate(**config):
            return user.ok("POST", "/generation-v2/validate", {"dataset_id": dataset, "model_config": config}).data
        self.assertEqual((validate()["warnings"], validate()["parameters"]["epochs"]), ([], 120))  # by size it would be 200
        first, second = validate(batch_size=1000000, generator_dim=[4096] * 4)["warnings"]
        self.assertIn("more than the 200 rows", first)
        self.assertIn("a job is stopped after 3600 s", second)


class Datasets(ServiceCase):
    def test_a_table_is_profiled_and_its_types_may_be_chosen(self):
        service = self.serve()
        user = service.user()
        dataset = user.upload(self.csv(300))
        ready = until(lambda: (lambda d: d if d["status"] == "ready" else None)(user.ok("GET", f"/upload/datasets/{dataset}").data), "a profile")
        self.assertEqual((ready["n_rows"], ready["n_columns"], ready["name"]), (300, 9, "people.csv"))
        kinds = {c["name"]: c["type"] for c in ready["columns"]}
        self.assertEqual((kinds["age"], kinds["income"], kinds["region"], kinds["joined"]), ("integer", "continuous", "categorical", "datetime"))
        missing = {c["name"]: c["missing"] for c in ready["columns"]}
        self.assertGreater(missing["score"], 0)
        user.ok("PUT", f"/upload/datasets/{dataset}/columns", {"columns": {"age": "categorical"}})
        again = until(lambda: (lambda d: d if d["status"] == "ready" else None)(user.ok("GET", f"/upload/datasets/{dataset}").data), "a profile")
        age = [c for c in again["columns"] if c["name"] == "age"][0]
        self.assertEqual((age["type"], age["chosen"]), ("categorical", True))
        self.assertEqual(user.send("PUT", f"/upload/datasets/{dataset}/columns", {"columns": {"nothing": "id"}}).status, 422)
        self.assertEqual(user.send("PUT", f"/upload/datasets/{dataset}/columns", {"columns": {"age": "colour"}}).status, 422)

    def test_every_type_of_a_wide_table_may_be_chosen_at_once(self):
        service = self.serve()
        user = service.user()
        names = [f"c{i}" for i in range(4000)]
        rows = [",".join(names)] + [",".join(str(i * j % 9) for i in range(len(names))) for j in range(20)]
        dataset = user.upload("\n".join(rows).encode())

        def ready():
            found = user.ok("GET", f"/upload/datasets/{dataset}").data
            return found if found["status"] == "ready" else None
        until(ready, "a profile")
        user.ok("PUT", f"/upload/datasets/{dataset}/columns", {"columns": {name: "categorical" for name in names}})
        self.assertEqual({c["type"] for c in until(ready, "a profile")["columns"]}, {"categorical"})

    def test_what_is_no_table_is_refused_or_found_invalid(self):
        service = self.serve()
        user = service.user()

        def upload(name, content):
            body = (f'--e\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n').encode() + content + b"\r\n--e--\r\n"
            return user.send("POST", "/upload/dataset", body, {"Content-Type": "multipart/form-data; boundary=e"})
        for name in ["t.xlsx", "t.parquet", "t.json", "t.exe", "t"]:
            reply = upload(name, b"a,b\n1,2\n")
            self.assertEqual((reply.status, reply.error["code"]), (415, "UNSUPPORTED_TYPE"), name)
            self.assertIn("csv", reply.error["message"])
        self.assertEqual(upload("t.csv", b"").status, 422)
        strange = upload("../../etc/pass\\\"wd\\x.tsv", b"a\tb\n1\t2\n3\t4\n")
        self.assertEqual(strange.status, 202)
        self.assertNotIn("/", strange.data["name"])
        bad = upload("t.csv", b"\xff\xfe\x00\x00" * 100).data["id"]
        found = until(lambda: (lambda d: d if d["status"] != "profiling" else None)(user.ok("GET", f"/upload/datasets/{bad}").data), "a verdict")
        self.assertEqual(found["status"], "invalid")
        self.assertTrue(found["error"])
        self.assertEqual(user.send("POST", "/generation/start", {"dataset_id": bad}).status, 422)

    def test_a_file_that_is_too_large_is_refused_whatever_it_says(self):
        service = self.serve(WORKERS="0", MAX_FILE_SIZE_MB="1")
        user = service.user()
        reply = user.send("POST", "/upload/dataset", b"x", {"Content-Type": "multipart/form-data; boundary=e", "Content-Length": str(64 << 20)})
        self.assertEqual((reply.status, reply.error["code"]), (413, "TOO_LARGE"))
        body = b'--e\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n' + b"1,2\n" * 300000 + b"\r\n--e--\r\n"
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
        connection.request("POST", "/upload/dataset", (body[i:i + 65536] for i in range(0, len(body), 65536)),
                           {"Authorization": "Bearer " + user.token, "Content-Type": "multipart/form-data; boundary=e"}, encode_chunked=True)
        self.assertEqual(connection.getresponse().status, 413)
        connection.close()
        self.assertEqual(service.objects(), [])


class Generation(ServiceCase):
    def test_a_request_is_watched_to_its_end_and_its_results_are_fetched(self):
        service = self.serve(SIGNED_URL_SECONDS="2")
        user = service.user()
        dataset = user.upload(self.csv(400))
        job = user.start(dataset, rows=150, epochs=30)
        seen = events_of(user, job)
        self.assertEqual(seen[-1][1], "end")
        states = [data["status"] for _, event, data in seen if event == "status"]
        self.assertEqual(states[-1], "completed")
        self.assertEqual(sorted(states, key=["queued", "running", "completed"].index), states)
        ids = [number for number, event, _ in seen if event == "status"]
        self.assertEqual(ids, sorted(ids))
        percents = [d["progress"]["percent"] for _, e, d in seen if e == "status" and d["progress"]]
        self.assertEqual(percents, sorted(percents))
        final = user.status(job)
        self.assertEqual(final, seen[-2][2])
        self.assertEqual(final["progress"]["percent"], 100)
        self.assertGreater(final["quality"]["overall"], 0.3)
        # what was seen already is not told again
        self.assertEqual(events_of(user, job, last_id=ids[-1]), 204)
        if len(ids) > 2:
            rest = events_of(user, job, last_id=ids[0])
            self.assertEqual([n for n, e, _ in rest if e == "status"], [n for n in ids if n > ids[0]])
        self.results(user, job)

    def results(self, user, job):
        whole = user.result(job)
        self.assertEqual(whole.count(b"\n"), 151)
        link = user.ok("GET", f"/generation/download/{job}").data
        path = urllib.parse.urlsplit(link["url"]).path
        nobody = user.service.anonymous()
        reply = nobody.ok("GET", path)
        self.assertEqual(reply.body, whole)
        self.assertIn("attachment", reply.headers["Content-Disposition"])
        part = nobody.send("GET", path, headers={"Range": "bytes=10-19"})
        self.assertEqual((part.status, part.body, part.headers["Content-Range"]), (206, whole[10:20], f"bytes 10-19/{len(whole)}"))
        self.assertEqual(nobody.send("GET", path, headers={"If-None-Match": reply.headers["ETag"]}).status, 304)
        self.assertEqual(nobody.send("GET", path, headers={"Range": f"bytes={len(whole)}-"}).status, 416)
        head = nobody.send("HEAD", path)
        self.assertEqual((head.status, int(head.headers["Content-Length"]), head.body), (200, len(whole), b""))
        for other in [path[:-1] + ("A" if path[-1] != "A" else "B"), path[:8] + "x" + path[8:], "/files/a", "/files/a.b"]:
            self.assertEqual(nobody.send("GET", other).status, 403, other)
        until(lambda: nobody.send("GET", path).status == 403, "the end of a temporary address", 30)
        report = user.ok("GET", f"/generation/report/{job}").data
        self.assertEqual(report["rows"]["synthetic"], 150)
        page = user.ok("GET", f"/generation/report/{job}", headers={"Accept": "text/html,*/*;q=0.8"})
        self.assertTrue(page.headers["Content-Type"].startswith("text/html"))
        self.assertRegex(page.headers["Content-Security-Policy"],
                         r"^default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-[A-Za-z0-9+/=]+'$")
        self.assertIn(b"<!DOCTYPE html>", page.body[:20])
        for accept in ["text/html;q=0", "text/html;q=0.1, application/json", "*/*", "image/png"]:
            self.assertEqual(user.ok("GET", f"/generation/report/{job}", headers={"Accept": accept}).headers["Content-Type"],
                             "application/json", accept)

    def test_a_stream_without_events_still_tells_the_state(self):
        service = self.serve(WORKERS="0", REQUIRE_APPROVAL="true", EVENT_PING_SECONDS="0.2")
        user = service.user()
        job = user.start(user.upload(self.csv(100)))
        first = events_of(user, job, most=1)
        self.assertEqual(first[0][2]["status"], "pending_approval")
        self.assertEqual(user.send("GET", f"/generation/download/{job}").error["code"], "NOT_READY")
        self.assertEqual(user.send("GET", f"/generation/report/{job}").status, 409)
        user.ok("DELETE", f"/generation/requests/{job}")
        self.assertEqual([e for _, e, _ in events_of(user, job)], ["status", "end"])

    def test_what_this_version_has_not_is_said_so(self):
        service = self.serve(WORKERS="0")
        user = service.user()
        dataset = user.upload(self.csv(100))
        for more in [{"optimization_config": {"enabled": True}}, {"output_format": "parquet"}]:
            reply = user.send("POST", "/generation/start", {"dataset_id": dataset, **more})
            self.assertEqual((reply.status, reply.error["code"]), (422, "NOT_AVAILABLE"), more)
        for more in [{"constraints": [{"type": "unique"}]}, {"privacy": {"enabled": True}}]:
            self.assertEqual(user.send("POST", "/generation-v2/start", {"dataset_id": dataset, **more}).error["code"], "NOT_AVAILABLE")
        user.ok("POST", "/generation/start", {"dataset_id": dataset, "optimization_config": {"enabled": False}, "output_format": "tsv"})
        for wrong, field in [({"sample_size": 99}, "sample_size"), ({"sample_size": 100001}, "sample_size"),
                             ({"model_config": {"model_type": "ctgan", "epochs": 9}}, "model_config.epochs"),
                             ({"model_config": {"model_type": "gan"}}, "model_config.model_type"),
                             ({"model_config": {"model_type": "tvae", "pac": 10}}, "model_config.pac"),
                             ({"model_config": {"generator_dim": []}}, "model_config.generator_dim")]:
            reply = user.send("POST", "/generation/start", {"dataset_id": dataset, **wrong})
            self.assertEqual(reply.status, 422, wrong)
            self.assertIn(field, reply.error["details"], wrong)

    def test_the_advanced_form_says_what_there_is_and_checks_without_starting(self):
        service = self.serve()
        user = service.user()
        dataset = user.upload(self.csv(400))
        config = user.ok("GET", "/generation-v2/config").data
        self.assertEqual([m["model_type"] for m in config["models"]], ["ctgan", "tvae"])
        epochs = config["models"][0]["parameters"][0]
        self.assertEqual((epochs["name"], epochs["minimum"], epochs["maximum"]), ("epochs", 10, 500))
        ask = {"dataset_id": dataset, "sample_size": 100, "model_config": {"model_type": "tvae"}}
        checked = until(lambda: (lambda d: d if d["ready"] else None)(user.ok("POST", "/generation-v2/validate", ask).data), "a profile")
        self.assertEqual((checked["n_rows"], checked["parameters"]["epochs"], checked["parameters"]["batch_size"]), (400, 200, 100))
        self.assertEqual(checked["cost"]["steps"], 800)
        self.assertGreater(checked["cost"]["estimated_s"], 0)
        self.assertEqual(user.ok("GET", "/generation/requests").data["items"], [])
        for more, field in [({"conditions": {"nothing": "1"}}, "conditions.nothing"), ({"model_config": {"batch_size": 7}}, "model_config"),
                            ({"conditions": {"region": "nowhere"}}, "conditions.region"), ({"conditions": {"age": 200}}, "conditions.age")]:
            for path in ["/generation-v2/validate", "/generation-v2/start"]:
                reply = user.send("POST", path, {**ask, **more})
                self.assertEqual((reply.status, list(reply.error["details"])), (422, [field]), reply.body)
        reply = user.send("POST", "/generation-v2/validate", '{"dataset_id": 99999999999999999999}', {"Content-Type": "application/json"})
        self.assertEqual(reply.status, 400)
        self.assertIn("a number is too large", reply.error["message"])
        job = user.ok("POST", "/generation-v2/start", {**ask, "conditions": {"region": "north"},
                                                       "model_config": {"model_type": "tvae", "epochs": 20, "batch_size": 100}}).data["id"]
        user.wait(job)
        rows = user.result(job).decode().splitlines()
        at = rows[0].split(",").index("region")
        self.assertEqual({row.split(",")[at] for row in rows[1:]}, {"north"})


class Models(ServiceCase):
    def test_a_kept_model_is_sampled_again_and_deleted(self):
        service = self.serve()
        user, stranger = service.user(), service.user("eve@example.org")
        job = user.start(user.upload(self.csv(400)), rows=100, epochs=20)
        user.wait(job)
        model = user.ok("GET", "/models").data["items"][0]
        self.assertEqual((model["request_id"], model["model_type"], model["parameters"]["epochs"]), (job, "ctgan", 20))
        path = f"/models/{model['id']}"
        sample = user.ok("POST", path + "/sample", {"rows": 40000, "seed": 5})
        self.assertEqual(sample.body.count(b"\n"), 40001)
        self.assertEqual(user.ok("POST", path + "/sample", {"rows": 40000, "seed": 5}).body, sample.body)
        packed = user.ok("POST", path + "/sample", {"rows": 40000, "seed": 5}, {"Accept-Encoding": "gzip"})
        self.assertEqual((packed.headers["Content-Encoding"], gzip.decompress(packed.body)), ("gzip", sample.body))
        lines = user.ok("POST", path + "/sample", {"rows": 7, "seed": 5}, {"Accept": "application/x-ndjson"})
        self.assertTrue(lines.headers["Content-Type"].startswith("application/x-ndjson"))
        self.assertEqual(len([json.loads(line) for line in lines.body.splitlines()]), 7)
        south = user.ok("POST", path + "/sample", {"rows": 50, "conditions": {"region": "south"}, "format": "ndjson"})
        self.assertEqual({json.loads(line)["region"] for line in south.body.splitlines()}, {"south"})
        key = {"Idempotency-Key": "again"}
        self.assertEqual(user.ok("POST", path + "/sample", {"rows": 30}, key).body, user.ok("POST", path + "/sample", {"rows": 30}, key).body)
        self.assertEqual(user.send("POST", path + "/sample", {"rows": 31}, key).status, 409)
        for method, where, body in [("GET", path, None), ("POST", path + "/sample", {"rows": 5}), ("DELETE", path, None)]:
            self.assertEqual(stranger.send(method, where, body).status, 404)
        self.assertEqual(stranger.ok("GET", "/models").data["items"], [])
        for wrong in [{}, {"rows": 0}, {"rows": "5"}, {"rows": 5, "seed": -1}, {"rows": 5, "format": "xml"}, {"rows": 5, "conditions": {"nothing": 1}}]:
            self.assertEqual(user.send("POST", path + "/sample", wrong).status, 422, wrong)
        until(lambda: user.send("DELETE", path).status == 200, "the model to be free", 30)
        self.assertEqual(user.send("GET", path).status, 404)
        self.assertEqual(user.send("POST", path + "/sample", {"rows": 5}).status, 404)


class Administration(ServiceCase):
    def test_requests_wait_for_approval(self):
        service = self.serve(REQUIRE_APPROVAL="true")
        user, admin = service.user(), service.admin()
        dataset = user.upload(self.csv(200))
        one, other = user.start(dataset, epochs=10), user.start(dataset, epochs=10)
        listed = admin.ok("GET", "/admin/requests?status=pending_approval").data["items"]
        self.assertEqual([i["id"] for i in listed], [other, one])
        self.assertEqual(listed[0]["user_id"], user.ok("GET", "/auth/me").data["id"])
        self.assertEqual(user.send("POST", f"/admin/approve/{one}").status, 403)
        admin.ok("POST", f"/admin/approve/{one}")
        self.assertEqual(admin.ok("POST", f"/admin/reject/{other}", {"reason": "not today"}).data["status"], "rejected")
        self.assertEqual(user.status(other)["error"], "not today")
        user.wait(one)
        self.assertEqual(admin.send("POST", f"/admin/approve/{one}").status, 409)
        self.assertEqual(admin.send("POST", f"/admin/reject/{other}").status, 409)
        for none in [99999, 1]:  # the first job is a profile
            self.assertEqual(admin.send("POST", f"/admin/approve/{none}").status, 404)

    def test_users_are_listed_and_disabled(self):
        service = self.serve(WORKERS="0")
        user, admin = service.user(), service.admin()
        users = admin.ok("GET", "/admin/users").data["items"]
        self.assertEqual({u["email"] for u in users}, {"ann@example.org", "root@example.org"})
        me = user.ok("GET", "/auth/me").data["id"]
        self.assertTrue(admin.ok("POST", f"/admin/users/{me}/toggle").data["disabled"])
        self.assertEqual(user.send("GET", "/auth/me").status, 401)
        self.assertFalse(admin.ok("POST", f"/admin/users/{me}/toggle").data["disabled"])
        self.assertEqual(service.login().ok("GET", "/auth/me").data["id"], me)
        self.assertEqual(admin.send("POST", f"/admin/users/{admin.ok('GET', '/auth/me').data['id']}/toggle").status, 409)

    def test_queues_pause_and_workers_rest(self):
        service = self.serve()
        user, admin = service.user(), service.admin()
        dataset = user.upload(self.csv(200))
        until(lambda: user.ok("GET", f"/upload/datasets/{dataset}").data["status"] == "ready", "a profile")
        admin.ok("POST", "/admin/queues/all/pause")
        job = user.start(dataset, epochs=10)
        queue = until(lambda: [q for q in admin.ok("GET", "/admin/queues").data["items"] if q["waiting"] == 1], "a waiting job")[0]
        self.assertTrue(queue["paused"])
        self.assertEqual(user.status(job)["queue_position"], 1)
        admin.ok("POST", "/admin/queues/all/resume")
        user.wait(job)
        self.assertEqual(admin.send("POST", "/admin/queues/nothing/pause").status, 404)
        worker = until(lambda: admin.ok("GET", "/admin/workers").data["items"], "a worker")[0]
        self.assertEqual(worker["state"], "running")
        admin.ok("POST", f"/admin/workers/{worker['id']}/drain")
        self.assertEqual(admin.ok("GET", "/admin/workers").data["items"][0]["state"], "draining")
        admin.ok("POST", f"/admin/workers/{worker['id']}/resume")
        self.assertEqual(admin.send("POST", "/admin/workers/123456/drain").status, 404)

    def test_dead_letters_are_listed_and_tried_again(self):
        service = self.serve(REQUEST_TIMEOUT_SECONDS="1", MAX_ATTEMPTS="1")
        user, admin = service.user(), service.admin()
        job = user.start(user.upload(self.csv(2000)), epochs=500)
        user.wait(job, "failed")
        dead = admin.ok("GET", "/admin/queues/dead").data["items"]
        self.assertEqual([d["id"] for d in dead], [job])
        self.assertTrue(dead[0]["error"])
        admin.ok("POST", f"/admin/queues/dead/{job}/retry")
        self.assertIn(user.status(job)["status"], ("queued", "running", "failed"))
        self.assertEqual(admin.send("POST", "/admin/queues/dead/99999/retry").status, 404)


class Operations(ServiceCase):
    def test_numbers_are_told_in_the_form_of_prometheus(self):
        service = self.serve(METRICS_TOKEN="only for the scraper")
        user = service.user()
        user.wait(user.start(user.upload(self.csv(200)), epochs=10))
        nobody = service.anonymous()
        self.assertEqual(nobody.send("GET", "/metrics").status, 401)
        reply = nobody.ok("GET", "/metrics", headers={"Authorization": "Bearer only for the scraper"})
        self.assertEqual(reply.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        known = set()
        for line in reply.body.decode().splitlines():
            if line.startswith("# TYPE "):
                known.add(line.split()[2])
            elif not line.startswith("#"):
                name = re.match(r'^([a-z_]+)(\{([a-z]+="[^"]*",?)+\})? -?[0-9.e+-]+$', line)
                self.assertTrue(name, line)
                self.assertTrue(any(name.group(1) in (k, k + "_bucket", k + "_sum", k + "_count") for k in known), line)
        text = reply.body.decode()
        for part in ['rowforge_jobs{kind="generate",state="completed"} 1', "rowforge_workers 1", "rowforge_reap_age_seconds",
                     'rowforge_http_requests_total{method="POST",path="/generation/start",status="2xx"} 1',
                     'rowforge_queue_waiting{class="cpu"} 0']:
            self.assertIn(part, text)

    def test_metrics_may_be_off_and_readiness_is_told(self):
        service = self.serve(METRICS_ENABLED="false")
        nobody = service.anonymous()
        self.assertEqual(nobody.send("GET", "/metrics").status, 404)
        self.assertEqual(nobody.ok("GET", "/health").data["status"], "ok")
        until(lambda: nobody.send("GET", "/ready").status == 200, "readiness")

    def test_it_starts_soon_and_idles_small(self):
        begun = time.monotonic()
        service = self.serve(PASSWORD_COST=None)
        took = time.monotonic() - begun
        service.anonymous().ok("GET", "/health")
        with open(f"/proc/{service.process.pid}/status", encoding="ascii") as file:
            resident = int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))
        if not any(name.endswith("SAN_OPTIONS") for name in os.environ):
            self.assertLess(resident, 30 * 1024)
        self.assertLess(took, 30)  # bench/ measures it; here it only must not hang


if __name__ == "__main__":
    unittest.main()
