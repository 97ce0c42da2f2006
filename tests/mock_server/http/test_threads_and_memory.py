"""Many clients at once keep the ledger exact, and many requests leave nothing behind."""

import gc
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest
import requests

from facematch_mock_server import MockServer, card_sheet
from facematch_mock_server.world.journal import MAX_ENTRIES
from facematch_mock_server.world.services import Pictures

SHEET = card_sheet()
P1 = SHEET["p1"].data
THREADS = 8
PRICE = Decimal("0.05")


@pytest.fixture
def mock():
    with MockServer() as running:
        running.control.set_limit("write", None)
        yield running


class Client:
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


def test_threads_get_their_own_answers_and_are_charged_exactly(mock):
    answers = in_threads(mock, lambda client, job: client.post(vendor_data=job), range(96))
    charges = mock.control.charges()
    assert Counter(answer.status_code for answer in answers) == {200: 96}
    jobs = [str(job) for number in range(THREADS) for job in range(96)[number::THREADS]]
    assert [answer.json()["vendor_data"] for answer in answers] == jobs
    ids = {answer.json()["request_id"] for answer in answers}
    assert ids == {charge.request_id for charge in charges}
    assert len(ids) == len(charges) == len(mock.control.sessions.all()) == 96
    assert mock.control.balance() == 100 - 96 * PRICE
    assert [charge.balance for charge in charges] == [100 - n * PRICE for n in range(1, 97)]
    assert sorted(session.number for session in mock.control.sessions.all()) == [*range(1, 97)]


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


def rss_bytes():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


@pytest.mark.long
def test_memory_is_flat_over_100_000_requests(mock):
    """Once journal, ledger and sessions are full, nothing grows any more."""
    account = mock.world.account
    mock.world.pictures = account.shared.pictures = Pictures(1024 * 1024)
    mock.control.set_balance(1_000_000)
    forms = pictures()
    with requests.Session() as session:
        ask(mock, session, forms, 2 * MAX_ENTRIES)
        gc.collect()
        before = rss_bytes()
        ask(mock, session, forms, 100_000 - 2 * MAX_ENTRIES)
        gc.collect()
        grown = rss_bytes() - before
    assert len(mock.control.journal()) == len(mock.control.charges()) == MAX_ENTRIES
    # Less than 0.5 KB for each: no picture, no word.
    assert grown < 32 * 1024 * 1024
