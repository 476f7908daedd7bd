"""The pages of the documentation in a real browser: drawn, from this server alone, and nothing on its console.

Swagger UI and ReDoc are looked at when build/docs-ui is there (script/bootstrap --docs); the plain page always. Skipped without Chromium.
"""
import os
import re
import shutil
import signal
import subprocess
import unittest

import driver

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
UI = os.path.join(os.path.dirname(driver.BINARY), "docs-ui")


@unittest.skipUnless(BROWSER, "no Chromium here")
class Pages(driver.Case):
    def serve(self, docs):
        env = dict(os.environ, PORT="0", DATA_DIR=self.path("data"), LOG_LEVEL="error", WORKERS="0", DOCS_DIR=docs)
        self.process = subprocess.Popen([driver.BINARY, "serve"], env=env, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()

    def tearDown(self):
        self.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.process.wait(60), 0)
        self.process.stdout.close()

    def draw(self, path):
        """The page as it stands after its scripts have run, and what the browser said."""
        done = subprocess.run([BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                               "--user-data-dir=" + self.path("browser"), "--enable-logging=stderr", "--v=0", "--virtual-time-budget=20000",
                               "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "--dump-dom", self.url + path],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=180, check=False)
        said = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if "CONSOLE" in line]
        return done.stdout.decode("utf-8", "replace"), said

    def test_the_plain_page_needs_no_script(self):
        self.serve(self.path("nothing"))
        page, said = self.draw("/docs")
        self.assertEqual(said, [])
        self.assertNotIn("<script", page)
        for text in ["/generation/start", "VALIDATION_ERROR", "generator_dim"]:
            self.assertIn(text, page)

    @unittest.skipUnless(os.path.isdir(UI), "script/bootstrap --docs was not run")
    def test_swagger_ui_and_redoc_are_drawn_without_a_word_on_the_console(self):
        self.serve(UI)
        for path, mark in [("/docs", 'class="opblock'), ("/redoc", "/generation/start")]:
            page, said = self.draw(path)
            self.assertEqual(said, [], path)
            self.assertIn(mark, page, path)
            self.assertGreater(len(page), 20000)
            hosts = set(re.findall(r"(?:src|href)=\"(https?://[^/\"]+)", page))
            self.assertLessEqual({h for h in hosts if "127.0.0.1" not in h}, {"https://redocly.com"}, path)  # a link, not loaded


if __name__ == "__main__":
    unittest.main()
