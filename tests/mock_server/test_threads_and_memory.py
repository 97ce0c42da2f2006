"""Many clients at once keep the ledger exact, and many requests leave nothing behind."""

import gc
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest
import requests

from facematch_mock_server import Fault, Kind, MockServer, Stage, card_sheet
from facematch_mock_server.journal import KEPT
from facematch_mock_server.services import Digests
from facematch_mock_server.vendors.didit.records import Pictures

SHEET = card_sheet()
P1 = SHEET["p1"].data
THREADS = 16
PRICE = Decimal("0.05")


@pytest.fixture
def mock():
    """A server without limits."""
    with MockServer() as running:
        running.control.set_limit("write", None)
        yield running


class Client:
    """One program with a connection of its own."""

    def __init__(self, mock):
        self.mock = mock
        self.session = requests.Session()
        self.session.headers["x-api-key"] = mock.live_key

    def post(self, card="p1", **fields):
        files = {"user_image": ("a.png", SHEET[card].data), "ref_image": ("b.png", P1)}
        url = self.mock.url + "/v3/face-match/"
        return self.session.post(url, files=files, data=fields, timeout=30)


def in_threads(mock, work, jobs):
    """`work(client, job)` for each of `jobs`, by `THREADS` clients at once."""
    clients = [Client(mock) for _ in range(THREADS)]

    def run(number):
        with clients[number].session:
            return [work(clients[number], job) for job in jobs[number::THREADS]]

    with ThreadPoolExecutor(THREADS) as pool:
        return [done for many in pool.map(run, range(THREADS)) for done in many]


def test_threads_are_charged_exactly(mock):
    """Each answer 200 is one entry, with its own id, and the balance is what is left."""
    answers = in_threads(mock, lambda client, _: client.post(), range(320))
    charges = mock.control.charges()
    assert Counter(answer.status_code for answer in answers) == {200: 320}
    ids = {answer.json()["request_id"] for answer in answers}
    assert ids == {charge.request_id for charge in charges}
    assert len(ids) == len(charges) == len(mock.control.sessions.all()) == 320
    assert mock.control.balance() == 100 - 320 * PRICE
    assert [charge.balance for charge in charges] == [100 - n * PRICE for n in range(1, 321)]
    assert sorted(session.number for session in mock.control.sessions.all()) == [*range(1, 321)]


def test_threads_cannot_spend_the_last_credit_twice(mock):
    """As many calls are paid as the credit is worth; the others are refused."""
    mock.control.set_balance("1.04")
    answers = in_threads(mock, lambda client, _: client.post(), range(64))
    assert Counter(answer.status_code for answer in answers) == {200: 20, 403: 44}
    assert mock.control.balance() == Decimal("0.04")


def test_threads_share_one_limit(mock):
    """No burst gets past it."""
    mock.control.set_limit("write", 25)
    answers = in_threads(mock, lambda client, _: client.post(), range(64))
    assert Counter(answer.status_code for answer in answers) == {200: 25, 429: 39}


def test_threads_use_up_faults_and_outcomes_exactly(mock):
    """A rule that holds ten times hits ten calls, whoever comes first."""
    mock.control.add_fault(Fault(stage=Stage.ANSWER, kind=Kind.STATUS, status=503, times=10))
    mock.control.set_outcome("match", score=1.25, times=10)
    answers = in_threads(mock, lambda client, _: client.post(), range(64))
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses == {503: 10, 200: 54}
    scores = [a.json()["face_match"]["score"] for a in answers if a.status_code == 200]
    assert scores.count(1.25) == 10


def test_threads_get_their_own_answers(mock):
    """Nobody is told what was found in somebody else's picture."""
    names = ["p1", "p2", "no-face", "score-30-01"]

    def work(client, number):
        name = names[number % 4]
        answer = client.post(name, vendor_data=f"job-{number}").json()
        score = SHEET[name].score
        assert answer["vendor_data"] == f"job-{number}"
        assert answer["face_match"]["score"] == (None if score is None else round(score, 2))

    in_threads(mock, work, range(160))


def test_a_reset_among_calls_breaks_none(mock):
    """A world that begins anew under way answers every call, before or after."""

    def work(client, number):
        if number % 8 == 0:
            client.mock.control.reset()
        return client.post().status_code

    assert set(in_threads(mock, work, range(160))) == {200}


def pictures():
    """Bodies of many different calls: pictures of 20 KB, of which no two are alike."""
    number = 0
    while True:
        number += 1
        # Bytes after the end of a PNG change its digest and nothing else.
        yield {
            "user_image": ("a.png", P1 + number.to_bytes(8, "big") * 2048),
            "ref_image": ("b.png", P1),
        }


def ask(mock, session, forms, times):
    url, headers = mock.url + "/v3/face-match/", {"x-api-key": mock.live_key}
    for _ in range(times):
        answer = session.post(url, headers=headers, files=next(forms), timeout=30)
        assert answer.status_code == 200


@pytest.mark.long
def test_memory_grows_by_the_journal_alone(mock):
    """3,000 calls with 20 KB of pictures: a few words stay of each.

    Journal, ledger and sessions keep the newest 10,000, so that is what they may cost. Pictures are
    remembered for their digests and their addresses, up to limits that are lowered here.
    """
    mock.world.digest = Digests(1024 * 1024).of
    mock.world.records.pictures = Pictures(1024 * 1024)
    mock.control.set_balance(10_000)
    forms = pictures()
    with requests.Session() as session:
        ask(mock, session, forms, 500)
        gc.collect()
        before = rss_bytes()
        ask(mock, session, forms, 2500)
        gc.collect()
        grown = rss_bytes() - before
    # The pictures alone would be 50 MB.
    assert grown < 20 * 1024 * 1024


def rss_bytes():
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


@pytest.mark.long
def test_memory_is_flat_over_100_000_requests(mock):
    """Once journal, ledger and sessions are full, nothing grows any more."""
    mock.world.records.pictures = Pictures(1024 * 1024)
    mock.control.set_balance(1_000_000)
    forms = pictures()
    with requests.Session() as session:
        ask(mock, session, forms, 2 * KEPT)
        gc.collect()
        before = rss_bytes()
        ask(mock, session, forms, 100_000 - 2 * KEPT)
        gc.collect()
        grown = rss_bytes() - before
    assert len(mock.control.journal()) == len(mock.control.charges()) == KEPT
    # Less than 0.5 KB for each: no picture, no word.
    assert grown < 32 * 1024 * 1024


def test_connections_that_come_and_go_leave_nothing(mock):
    """Clients that hang up before, during and after a request are forgotten."""
    for sent in (b"", b"POST /v3/face-match/ HTTP/1.1\r\nHost: x\r\n", b"\0\r\n\r\n") * 100:
        with socket.create_connection(("127.0.0.1", mock.port), 10) as client:
            client.sendall(sent)
    client = Client(mock)
    with client.session:
        assert client.post().status_code == 200
