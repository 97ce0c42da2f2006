"""`facematch mock --store`: killed in the middle of a burst, it has lost nothing it answered."""

import contextlib
import hashlib
import hmac
import json
import os
import random
import resource
import subprocess
import sys
import threading
import time
from collections import Counter
from decimal import Decimal
from http.server import ThreadingHTTPServer

import pytest
import requests
from mock_worlds import Quiet, serving

from facematch_mock_server import card_sheet

SHEET = card_sheet()
P1 = SHEET["p1"].data
CLIENTS = 6
START = Decimal(100_000)
PRICE = Decimal("0.05")
KEY = {"x-api-key": "mock-live-key"}
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


class Receiver(ThreadingHTTPServer):
    """Takes webhooks, one at a time while its gate is shut, so that others wait behind it."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.gate = threading.Event()
        self.gate.set()
        self.secret = None
        #: Session and status of each letter that came whole and was signed with the secret.
        self.came = set()

    def listen(self, url):
        """Make a destination for itself, and keep its secret."""
        mine = f"http://127.0.0.1:{self.server_port}/hook"
        path = f"{url}/__mock__/webhooks/destinations"
        made = requests.post(path, json={"url": mine}, timeout=20)
        assert made.status_code == 200
        self.secret = made.json()["secret"]


class _Handler(Quiet):
    def do_POST(self):  # noqa: N802 - the library's name
        body, server = self.rfile.read(int(self.headers["Content-Length"])), self.server
        server.gate.wait(4)
        signed = hmac.new(server.secret.encode(), body, hashlib.sha256).hexdigest()
        assert hmac.compare_digest(signed, self.headers["X-Signature"])
        letter = json.loads(body)
        server.came.add((letter["session_id"], letter["status"]))
        with contextlib.suppress(OSError):
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()


@pytest.fixture
def receiver():
    """A receiver that runs."""
    server = Receiver()
    with serving(server, server.gate.set):
        yield server


class Told:
    """What clients asked for, and what they were told.

    Attributes:
        answered: The request ids that were answered 200, by all.
        updating, deleting: Of those, the ones whose update or deletion was asked for.
        updated, deleted: And those for which that was answered.
    """

    def __init__(self):
        self.answered = []
        self.updating, self.updated, self.deleting, self.deleted = set(), set(), set(), set()


class Burst:
    """Clients that send calls to be kept, until nobody answers any more.

    Attributes:
        told: What they were told.
        other: Other answers.
        changes: Whether sessions are updated and deleted in between.
    """

    def __init__(self, url, told, *, changes=True):
        self.root = url
        self.url = url + "/v3/face-match/"
        self.told, self.other, self.changes = told, [], changes
        self.began = len(told.answered)
        self.more = threading.Condition()
        self.threads = [threading.Thread(target=self.ask) for _ in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def ask(self):
        files = {"user_image": ("a.png", P1), "ref_image": ("b.png", P1)}
        fields = {"save_api_request": "true"}
        with requests.Session() as session, contextlib.suppress(requests.RequestException):
            session.headers.update(KEY)
            while True:
                got = session.post(self.url, files=files, data=fields, timeout=20)
                if got.status_code != 200:
                    self.other.append(got)
                    return
                # An answer counts from its status line on, whole or not; this one is whole.
                name = got.json()["request_id"]
                with self.more:
                    self.told.answered.append(name)
                    number = len(self.told.answered)
                    self.more.notify_all()
                if self.changes:
                    self.change(session, name, number)

    def change(self, session, name, number):
        """Every third is updated, every fourth deleted."""
        path = f"{self.root}/v3/session/{name}/"
        if number % 3 == 0:
            self.told.updating.add(name)
            body = {"new_status": "Declined"}
            got = session.patch(f"{path}update-status/", json=body, timeout=20)
            assert got.status_code == 200
            self.told.updated.add(name)
        if number % 4 == 0:
            self.told.deleting.add(name)
            got = session.delete(f"{path}delete/", timeout=20)
            assert got.status_code == 204
            self.told.deleted.add(name)

    def wait(self, count):
        """Until so many are answered."""
        with self.more:
            done = self.more.wait_for(lambda: len(self.told.answered) - self.began >= count, 30)
            assert done

    def end(self):
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive()


def check(url, told, *, most):
    """What was answered is there once, and everything that is there fits together."""
    answered = told.answered
    sessions = requests.get(f"{url}/__mock__/sessions", timeout=20).json()["sessions"]
    ledger = requests.get(f"{url}/__mock__/ledger", timeout=20).json()
    ids = [session["id"] for session in sessions]
    charged = [entry["request_id"] for entry in ledger["entries"]]
    assert max(Counter(answered).values()) == 1
    assert set(answered) <= set(charged)
    assert max(Counter(charged).values()) == 1
    # A call is kept and charged, or neither; a deletion pays nothing back.
    assert set(ids) <= set(charged)
    assert set(charged) - set(ids) <= told.deleting
    assert not told.deleted & set(ids)
    statuses = {session["id"]: session["status"] for session in sessions}
    for name, status in statuses.items():
        sure = name in told.updated or name not in told.updating
        assert not sure or status == ("Declined" if name in told.updated else "Approved")
    # What was under way may be there, too: its client was told nothing.
    assert len(charged) <= most
    places = {name: number for number, name in enumerate(charged, start=1)}
    assert [session["number"] for session in sessions] == [places[name] for name in ids]
    assert Decimal(ledger["balance"]) == START - PRICE * len(charged)
    assert [Decimal(entry["balance"]) for entry in ledger["entries"]] == [
        START - PRICE * number for number in range(1, len(charged) + 1)
    ]


def check_letters(url, told, receiver):
    """Whatever was answered was told or is told now, and nothing that is not there."""
    until = time.monotonic() + 60
    while waiting(url):
        assert time.monotonic() < until, "deliveries stay due"
    ledger = requests.get(f"{url}/__mock__/ledger", timeout=20).json()
    assert {(name, "Approved") for name in told.answered} <= receiver.came
    assert {(name, "Declined") for name in told.updated} <= receiver.came
    assert {name for name, _ in receiver.came} <= {
        entry["request_id"] for entry in ledger["entries"]
    }


def waiting(url):
    """How many deliveries wait."""
    return requests.get(f"{url}/__mock__/webhooks/due", timeout=20).json()["due"]


def rounds(path, count, receiver):
    """Kill so often, always on the same store; each time after another number of answers.

    In each burst the receiver holds the first letter back, so that the others wait when the
    process dies.
    """
    chance, told, waited = random.Random(7), Told(), 0
    for number in range(count):
        with mock(path) as (process, url):
            if number:
                check(url, told, most=len(told.answered) + number * CLIENTS)
                check_letters(url, told, receiver)
            else:
                receiver.listen(url)
            receiver.gate.clear()
            burst = Burst(url, told)
            burst.wait(chance.randint(1, 60))
            waited += waiting(url)
            process.kill()
            burst.end()
            receiver.gate.set()
            assert not burst.other
    assert waited > count
    with mock(path) as (_, url):
        check(url, told, most=len(told.answered) + count * CLIENTS)
        check_letters(url, told, receiver)


def test_what_was_answered_survives_a_kill(tmp_path, receiver):
    """Three times SIGKILL in a burst: sessions, charges, balance and pending webhooks are there."""
    rounds(tmp_path / "mock.db", 3, receiver)


@pytest.mark.long
def test_what_was_answered_survives_fifty_kills(tmp_path, receiver):
    """The same, fifty times on one store."""
    rounds(tmp_path / "mock.db", 50, receiver)


def test_a_full_disk_costs_nothing_that_was_answered(tmp_path):
    """No more room for the file: 500 from then on, and what was answered 200 is there."""
    path = tmp_path / "mock.db"

    def small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

    with mock(path, preexec_fn=small) as (process, url):
        burst = Burst(url, Told(), changes=False)
        burst.end()
        assert [answer.status_code for answer in burst.other] == [500] * CLIENTS
        assert "cannot be written" in burst.other[0].json()["mock"]
        process.terminate()
        _, log = process.communicate(timeout=20)
        assert process.returncode == 0
    assert f"{path}; every request is answered 500 until" in log
    assert "Traceback" not in log
    with mock(path) as (_, url):
        check(url, burst.told, most=len(burst.told.answered))


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
