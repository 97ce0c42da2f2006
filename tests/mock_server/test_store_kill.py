"""`facematch mock --store`: killed in the middle of a burst, it has lost nothing it answered."""

import contextlib
import os
import random
import resource
import subprocess
import sys
import threading
from collections import Counter
from decimal import Decimal

import pytest
import requests

from facematch_mock_server import card_sheet

SHEET = card_sheet()
P1 = SHEET["p1"].data
CLIENTS = 6
START = Decimal(100_000)
PRICE = Decimal("0.05")
COMMAND = (
    *(sys.executable, "-c", "from facematch_core.cli import main; main()", "mock"),
    *("--switch", f"start_credit={START}", "--switch", "write_limit=none", "--seed", "7"),
)


@contextlib.contextmanager
def mock(path, **options):
    """A mock on this store in a process of its own, and its address; it is killed at the end."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FACEMATCH")}
    with subprocess.Popen(
        [*COMMAND, "--store", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=kept,
        **options,
    ) as process:
        try:
            url = process.stdout.readline().strip()
            assert url, process.stderr.read()
            yield process, url
        finally:
            process.kill()


class Burst:
    """Clients that send calls to be kept, until nobody answers any more.

    Attributes:
        answered: The request ids that were answered 200, by all.
        other: Statuses of other answers.
    """

    def __init__(self, url):
        self.url = url + "/v3/face-match/"
        self.answered, self.other = [], []
        self.more = threading.Condition()
        self.threads = [threading.Thread(target=self.ask) for _ in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def ask(self):
        files = {"user_image": ("a.png", P1), "ref_image": ("b.png", P1)}
        fields, key = {"save_api_request": "true"}, {"x-api-key": "mock-live-key"}
        with requests.Session() as session, contextlib.suppress(requests.RequestException):
            while True:
                got = session.post(self.url, headers=key, files=files, data=fields, timeout=20)
                if got.status_code != 200:
                    self.other.append(got)
                    return
                # An answer counts from its status line on, whole or not; this one is whole.
                with self.more:
                    self.answered.append(got.json()["request_id"])
                    self.more.notify_all()

    def wait(self, count):
        """Until so many are answered."""
        with self.more:
            assert self.more.wait_for(lambda: len(self.answered) >= count, 30)

    def end(self):
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive()


def check(url, answered, *, most):
    """What was answered is there once, and everything that is there fits together."""
    sessions = requests.get(f"{url}/__mock__/sessions", timeout=20).json()["sessions"]
    ledger = requests.get(f"{url}/__mock__/ledger", timeout=20).json()
    ids = [session["id"] for session in sessions]
    charged = [entry["request_id"] for entry in ledger["entries"]]
    assert max(Counter(answered).values()) == 1
    assert set(answered) <= set(ids)
    # A call is kept and charged, or neither.
    assert ids == charged
    assert max(Counter(ids).values()) == 1
    # What was under way may be there, too: its client was told nothing.
    assert len(ids) <= most
    assert [session["number"] for session in sessions] == [*range(1, len(ids) + 1)]
    assert Decimal(ledger["balance"]) == START - PRICE * len(charged)
    assert [Decimal(entry["balance"]) for entry in ledger["entries"]] == [
        START - PRICE * number for number in range(1, len(charged) + 1)
    ]


def rounds(path, count):
    """Kill so often, always on the same store; each time after another number of answers."""
    chance, answered = random.Random(7), []
    for number in range(count):
        with mock(path) as (process, url):
            if number:
                check(url, answered, most=len(answered) + number * CLIENTS)
            burst = Burst(url)
            burst.wait(chance.randint(1, 60))
            process.kill()
            burst.end()
            assert not burst.other
            answered += burst.answered
    with mock(path) as (_, url):
        check(url, answered, most=len(answered) + count * CLIENTS)


def test_what_was_answered_survives_a_kill(tmp_path):
    """Three times SIGKILL in a burst: each session, its charge and the balance are there."""
    rounds(tmp_path / "mock.db", 3)


@pytest.mark.long
def test_what_was_answered_survives_fifty_kills(tmp_path):
    """The same, fifty times on one store."""
    rounds(tmp_path / "mock.db", 50)


def test_a_full_disk_costs_nothing_that_was_answered(tmp_path):
    """No more room for the file: 500 from then on, and what was answered 200 is there."""
    path = tmp_path / "mock.db"

    def small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

    with mock(path, preexec_fn=small) as (process, url):
        burst = Burst(url)
        burst.end()
        assert [answer.status_code for answer in burst.other] == [500] * CLIENTS
        assert "cannot be written" in burst.other[0].json()["mock"]
        process.terminate()
        _, log = process.communicate(timeout=20)
        assert process.returncode == 0
    assert f"{path}; every request is answered 500 until" in log
    assert "Traceback" not in log
    with mock(path) as (_, url):
        check(url, burst.answered, most=len(burst.answered))


def test_a_second_mock_on_one_store_is_refused(tmp_path):
    """Exit code 4 and one sentence; the first goes on, and a killed one leaves no lock."""
    path = tmp_path / "mock.db"
    with mock(path) as (_, url):
        done = subprocess.run(
            [*COMMAND, "--store", str(path)],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert (done.returncode, done.stdout) == (4, "")
        assert "another mock uses this store; end that one, or name another file" in done.stderr
        assert "Traceback" not in done.stderr
        assert requests.get(f"{url}/__mock__/clock", timeout=10).status_code == 200
    with mock(path) as (_, url):
        assert requests.get(f"{url}/__mock__/clock", timeout=10).status_code == 200
