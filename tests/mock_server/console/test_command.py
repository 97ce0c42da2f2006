"""`facematch mock` and the console: its address, a browser, and pictures."""

import os
import signal
import subprocess
import sys
import time

import pytest
import requests
from click.testing import CliRunner

from facematch_core.cli.app import facematch

FACEMATCH = (sys.executable, "-c", "from facematch_core.cli import main; main()")


@pytest.fixture
def start(tmp_path):
    """Starts the command with a browser that writes down what it is to open."""
    opened, started = tmp_path / "opened", []
    browser = tmp_path / "browser"
    browser.write_text(
        f'#!/bin/sh\nprintf %s "$1" > "{opened}.part" && mv "{opened}.part" "{opened}"\n'
    )
    browser.chmod(0o755)

    def run(*arguments):
        process = subprocess.Popen(
            [*FACEMATCH, "mock", *arguments],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "BROWSER": f"{browser} %s", "NO_COLOR": "1"},
        )
        started.append(process)
        return process.stdout.readline().strip(), process.stdout.readline().strip(), opened

    yield run
    for process in started:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)


def read(path):
    """What a file holds, as soon as it is there."""
    ending = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < ending
        time.sleep(0.02)
    return path.read_text()


def test_the_second_line_is_the_console_and_it_is_opened(start):
    """The first one stays the address alone."""
    url, line, opened = start("--open", "--show-pictures")
    assert line == f"console: {url}/"
    assert read(opened) == f"{url}/"
    assert requests.get(f"{url}/", headers={"Accept": "text/html"}, timeout=10).status_code == 200
    about = requests.get(f"{url}/__mock__/console/about", timeout=10).json()
    assert about["show_pictures"] is True


def test_a_token_comes_along_where_no_server_is_sent_it(start):
    """Behind the number sign; it is not printed."""
    url, line, opened = start("--open", "--control-token", "a token & more")
    assert line == f"console: {url}/"
    assert read(opened) == f"{url}/#token=a%20token%20%26%20more"


@pytest.mark.parametrize("option", ["--open", "--show-pictures"])
def test_no_console_without_control(start, option):
    """Nothing to open, nothing to show."""
    refused = CliRunner().invoke(facematch, ["mock", "--no-control", option])
    assert refused.exit_code == 2
    assert "--no-control leaves the console out" in refused.output
    assert start("--no-control")[1] == "console: none"
