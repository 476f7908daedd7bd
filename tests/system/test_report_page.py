"""The HTML report: whole, harmless, and the same to a real browser."""
import base64
import hashlib
import html.parser
import json
import os
import re
import shutil
import subprocess
import unittest

from driver import Case, people, write_csv

VOID = {"meta", "link", "img", "br", "hr", "input"}
CHROMIUM = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
HOSTILE = "</script><img src=x onerror=\"document.title='broken'\">"


class Reader(html.parser.HTMLParser):
    """Balances tags; collects ids, links, texts and whatever would load something."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.open, self.faults, self.ids, self.links, self.loads, self.text = [], [], [], [], [], []
        self.scripts = self.styles = 0
        self.feed(page)
        self.close()
        self.faults += [f"<{tag}> stays open" for tag in self.open]

    def handle_starttag(self, tag, attrs):
        self.scripts += tag == "script"
        self.styles += tag == "style"
        for name, value in attrs:
            if name.startswith("on") or name == "style":
                self.faults.append(f"<{tag} {name}>")
            if name == "id":
                self.ids.append(value)
            if name in ("src", "srcset", "action", "data", "poster", "formaction"):
                self.loads.append(value)
            if name == "href":
                self.links.append(value)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes nothing")

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("script", "style"):
            self.text.append(data)


def policy_hash(text):
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


class Page(Case):
    def report(self, rows, real="people.csv"):
        """The page of an evaluation of the rows against a second draw of them."""
        write_csv(self.path(real), rows)
        write_csv(self.path("synthetic.csv"), [rows[0]] + [rows[1 + (i * 7) % (len(rows) - 1)] for i in range(150)])
        self.ok("evaluate", self.path(real), self.path("synthetic.csv"), "--report", self.path("page.html"))
        with open(self.path("page.html"), encoding="utf-8", newline="") as file:
            return file.read()

    def whole(self, page):
        reader = Reader(page)
        self.assertEqual(reader.faults, [])
        self.assertEqual(reader.loads, [])
        self.assertEqual((reader.scripts, reader.styles), (1, 1))
        self.assertEqual(len(reader.ids), len(set(reader.ids)), "an id stands twice")
        for link in reader.links:
            self.assertTrue(link == "data:," or link[0] == "#" and link[1:] in reader.ids, link)
        return reader

    def hostile(self):
        rows = people(300)
        for row in rows:
            row[4] = row[4].replace("Aa", HOSTILE)
        rows[0][3], rows[0][8] = HOSTILE, "x" * 300 + "é"
        return rows


class Written(Page):
    def test_the_page_is_whole_and_names_every_column(self):
        rows = people(300)
        text = " ".join(self.whole(self.report(rows)).text)
        for name in rows[0]:
            self.assertIn(name, text)
        for words in ["Overall", "Column shapes", "Trends, strong pairs", "Trends, all pairs", "Diagnostic", "Exact copies",
                      "Distance to the closest real row", "Weakest first", "Relations between columns", "The run"]:
            self.assertIn(words, text)

    def test_the_policy_names_the_only_script_and_style(self):
        page = self.report(people(100))
        policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page).group(1)
        self.assertIn("default-src 'none'", policy)
        for tag in ["script", "style"]:
            (inside,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.S)
            self.assertIn(f"{tag}-src '{policy_hash(inside)}'", policy)

    def test_hostile_names_are_texts(self):
        page = self.report(self.hostile(), real="a & <b>.csv")
        self.assertIn(HOSTILE, "".join(self.whole(page).text).replace("…", ""))
        self.assertNotIn("<img", page)

    def test_no_cell_of_a_number_is_an_end_of_an_axis(self):
        rows = people(300)
        incomes = sorted(float(row[2]) for row in rows[1:])
        text = " ".join(self.whole(self.report(rows)).text)
        for cell in [incomes[0], incomes[-1]]:
            self.assertNotIn(f"{cell:.2f}", text)

    def test_a_run_tells_its_parameters(self):
        self.table(200)
        self.ok("synth", self.path("people.csv"), "-o", self.path("out.csv"), "--epochs", 1, "--seed", 7,
                "--report", self.path("page.html"), "--report", self.path("page.json"))
        with open(self.path("page.html"), encoding="utf-8") as file:
            text = " ".join(self.whole(file.read()).text)
        for words in ["people.csv", "ctgan", "seed 7", "epochs", "batch_size"]:
            self.assertIn(words, text)
        with open(self.path("page.json"), encoding="utf-8") as file:
            json.load(file)


@unittest.skipUnless(CHROMIUM, "no Chromium on this machine")
class Shown(Page):
    def chromium(self, *words):
        done = subprocess.run([CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                               "--disable-background-networking", "--disable-component-update", "--disable-sync",
                               "--user-data-dir=" + self.path("browser"), "--enable-logging=stderr", *words,
                               "file://" + self.path("page.html").replace(" ", "%20")],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, check=False)
        return done.stdout.decode(), done.stderr.decode("utf-8", "replace")

    def test_the_script_runs_and_nothing_complains(self):
        self.report(self.hostile())
        dom, log = self.chromium("--dump-dom")
        complaints = [line for line in log.splitlines() if ":CONSOLE" in line or "Refused to" in line]
        self.assertEqual(complaints, [])
        self.assertIn("<button type=\"button\">", dom)
        self.assertNotIn("<title>broken", dom)

    def test_it_can_be_drawn(self):
        self.report(people(300))
        self.chromium("--window-size=1280,2000", "--screenshot=" + self.path("page.png"))
        self.assertGreater(os.path.getsize(self.path("page.png")), 50000)


if __name__ == "__main__":
    unittest.main()
