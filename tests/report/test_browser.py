"""The page in a real Chromium: quiet console, no request, untrusted text stays text, no sideways scrolling.

Driven through chromedriver's HTTP interface, so that no browser library is needed.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tailor.report import write
from tailor.run import Run

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None,
    reason="chromium and chromedriver are not installed (Debian: apt-get install chromium chromium-driver)",
)
ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
]


class Browser:
    """One page of a headless Chromium."""

    def __init__(self, port: int) -> None:
        self.base = f"http://127.0.0.1:{port}"
        capabilities = {
            "goog:chromeOptions": {"args": ARGUMENTS, "binary": CHROMIUM},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        self.session = self._post("/session", {"capabilities": {"alwaysMatch": capabilities}})["sessionId"]

    def open(self, page: Path, *, width: int = 1200, dark: bool = False) -> None:
        self._devtools("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._devtools("Emulation.setEmulatedMedia", features=[scheme])
        self._command("url", {"url": page.as_uri()})

    def run(self, script: str) -> Any:
        return self._command("execute/sync", {"script": script, "args": []})

    def console(self) -> list[str]:
        """What was written to the console since the last look, refusals of the content security policy included."""
        return [entry["message"] for entry in self._command("se/log", {"type": "browser"})]

    def requests(self) -> list[str]:
        """The addresses that were asked for since the last look."""
        events = [json.loads(entry["message"])["message"] for entry in self._command("se/log", {"type": "performance"})]
        return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]

    def close(self) -> None:
        self._send(urllib.request.Request(f"{self.base}/session/{self.session}", method="DELETE"))

    def _devtools(self, command: str, **parameters: Any) -> Any:
        return self._command("goog/cdp/execute", {"cmd": command, "params": parameters})

    def _command(self, command: str, body: dict[str, Any]) -> Any:
        return self._post(f"/session/{self.session}/{command}", body)

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        headers = {"Content-Type": "application/json"}
        return self._send(urllib.request.Request(self.base + path, json.dumps(body).encode(), headers, method="POST"))

    def _send(self, request: urllib.request.Request) -> Any:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert DRIVER
    with subprocess.Popen([DRIVER, "--port=0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            ready = (re.search(r"started successfully on port (\d+)", line) for line in process.stdout)
            found = next(match for match in ready if match)
            made = Browser(int(found[1]))
            yield made
            made.close()
        finally:
            process.terminate()


@pytest.fixture
def hostile(make_run: Callable[..., Run]) -> Path:
    """A page whose data tries to run, to fetch and to hide."""
    attack = (
        "<script>document.title = 'owned'</script>"
        "<img src='https://example.com/a.png' onerror=\"document.title='owned'\">"
        "<style>body { display: none }</style><link rel=stylesheet href=//example.com/a.css>\u202eevil"
    )
    row = {"source": {"file": attack, "line": 1}, "prompt": attack * 4, "wanted": attack, "detail": attack}
    rows = [row | {"row": number, "given": f"{number}{attack}", "score": number / 20} for number in range(20)]
    base = [each | {"score": 0.5, "given": attack} for each in rows]
    return write(make_run(20, scores={"few-shot": base, "tuned": rows}))


def test_the_page_is_quiet_and_asks_for_nothing(browser: Browser, hostile: Path) -> None:
    browser.open(hostile)
    assert browser.console() == []
    assert [url for url in browser.requests() if url != hostile.as_uri() and not url.startswith("data:")] == []


def test_the_watch_would_see_a_fault(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "loud.html"
    page.write_text("<!doctype html><img src='missing.png'><script>console.error('loud')</script>")
    browser.open(page)
    assert any("loud" in message for message in browser.console())
    assert any(url.endswith("missing.png") for url in browser.requests())


def test_a_script_in_a_data_row_stays_text(browser: Browser, hostile: Path) -> None:
    browser.open(hostile)
    assert browser.run("return document.title") == "banking77-1: tune"
    assert browser.run("return document.querySelectorAll('script, img, iframe, link[rel=stylesheet]').length") == 0
    assert browser.run("return document.querySelectorAll('style').length") == 1
    shown = browser.run("return document.querySelector('article').textContent")
    assert "<script>document.title = 'owned'</script>" in shown
    assert "⟨U+202E⟩evil" in shown


@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_fits_its_window(browser: Browser, hostile: Path, width: int, dark: bool) -> None:
    browser.open(hostile, width=width, dark=dark)
    assert browser.run("return document.documentElement.scrollWidth") <= width
    seen = "[...document.querySelectorAll('svg')].filter(drawing => drawing.checkVisibility())"
    drawn = browser.run(f"return {seen}.map(drawing => drawing.getAttribute('viewBox'))")
    assert len(drawn) == 5  # arms, difference, tally, loss, rows: each once
    assert any(box.startswith("0 0 340 ") for box in drawn) == (width == 360)
    ground = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(20, 22, 26)" if dark else "rgb(252, 251, 248)")


def test_long_texts_unfold(browser: Browser, hostile: Path) -> None:
    browser.open(hostile)
    fold = "document.querySelector('details.fold')"
    whole, brief = (f"return {fold}.querySelector('{which}').checkVisibility()" for which in ("div.text", ".brief"))
    assert (browser.run(whole), browser.run(brief)) == (False, True)
    browser.run(f"{fold}.querySelector('summary').click()")
    assert (browser.run(whole), browser.run(brief)) == (True, False)
