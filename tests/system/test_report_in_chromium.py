"""The demo's report in a real browser: no console message, no request, readable when narrow."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from browser import QUIET

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A fresh report of the sample photographs."""
    path = tmp_path_factory.mktemp("demo") / "report.html"
    subprocess.run(
        [
            Path(sys.executable).with_name("facematch"),
            "demo",
            "--photographs",
            ROOT / "docs" / "photographs",
            "--out",
            path,
        ],
        check=True,
        capture_output=True,
        timeout=300,
    )
    return path


@pytest.fixture
def chromium(find_program, tmp_path):
    """Opens the report with a line of JavaScript at its end; gives the title that it sets."""
    path = find_program("chromium")

    def open_page(report, expression, *arguments):
        page = tmp_path / "probe.html"
        script = f"<script>onload = () => document.title = 'got ' + {expression}</script>"
        page.write_text(report.read_text() + script)
        done = subprocess.run(
            [
                path,
                *QUIET,
                f"--user-data-dir={tmp_path / 'profile'}",
                "--enable-logging=stderr",
                "--virtual-time-budget=5000",
                "--dump-dom",
                *arguments,
                page.as_uri(),
            ],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        assert "CONSOLE" not in done.stderr
        title = re.search(r"<title>got (.*?)</title>", done.stdout)
        assert title, done.stdout[:500]
        return title[1]

    return open_page


def test_no_console_message_and_no_request(report, chromium):
    """The page is one file: opening it asks nothing of anybody and complains about nothing."""
    fetched = chromium(
        report,
        "performance.getEntriesByType('resource').map(e => e.name)"
        ".filter(name => !name.startsWith('data:')).length",
    )
    assert fetched == "0"


@pytest.mark.parametrize("width", [400, 1000])
def test_it_is_not_wider_than_the_window(report, chromium, width):
    """Nobody has to scroll sideways."""
    over = "Math.max(0, document.documentElement.scrollWidth - innerWidth)"
    assert chromium(report, over, f"--window-size={width},2000") == "0"


def test_every_picture_is_drawn(report, chromium):
    """No broken picture among the embedded ones."""
    drawn = chromium(report, "[...document.images].map(i => i.naturalWidth > 0 ? 1 : 0).join('')")
    assert len(drawn) >= 10
    assert set(drawn) == {"1"}
