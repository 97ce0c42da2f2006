"""Many clients at once keep the ledger exact, and many requests leave nothing behind."""

import gc
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest
import requests
from kit.mock_didit import post_match

from facematch_mock_server import card_sheet
from facematch_mock_server.world.journal import MAX_ENTRIES
from facematch_mock_server.world.services import Pictures

P1 = card_sheet()["p1"].data
THREADS = 8
PRICE = Decimal("0.05")


def ask(mock, jobs):
    """A client: the answers to calls of these jobs, in each of which the probe differs."""
    mock.control.set_limit("write", None)
    with requests.Session() as session:
        # Bytes after the end of a PNG change its digest and nothing else.
        where = {"url": mock.url, "key": mock.live_key, "session": session, "timeout": 30}
        pictures = [P1 + job.to_bytes(8, "big") * 2048 for job in jobs]
        return [
            post_match(probe=picture, vendor_data=job, **where)
            for picture, job in zip(pictures, jobs, strict=True)
        ]


def test_threads_get_their_own_answers_and_are_charged_exactly(mock):
    parts = [range(96)[number::THREADS] for number in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as pool:
        answers = [answer for part in pool.map(ask, [mock] * THREADS, parts) for answer in part]
    charges = mock.control.charges()
    assert Counter(answer.status_code for answer in answers) == {200: 96}
    jobs = [str(job) for part in parts for job in part]
    assert [answer.json()["vendor_data"] for answer in answers] == jobs
    ids = {answer.json()["request_id"] for answer in answers}
    assert ids == {charge.request_id for charge in charges}
    assert len(ids) == len(charges) == len(mock.control.sessions.all()) == 96
    assert mock.control.balance() == 100 - 96 * PRICE
    assert [charge.balance for charge in charges] == [100 - n * PRICE for n in range(1, 97)]
    assert sorted(session.number for session in mock.control.sessions.all()) == [*range(1, 97)]


def rss_bytes():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


@pytest.mark.long
def test_memory_is_flat_over_100_000_requests(mock):
    """Once journal, ledger and sessions are full, nothing grows any more."""
    account = mock.world.account
    mock.world.pictures = account.shared.pictures = Pictures(1024 * 1024)
    mock.control.set_balance(1_000_000)
    for first, end in ((0, 2 * MAX_ENTRIES), (2 * MAX_ENTRIES, 100_000)):
        before = rss_bytes()
        for job in range(first, end, 100):
            answers = ask(mock, range(job, job + 100))
            assert {answer.status_code for answer in answers} == {200}
        gc.collect()
    grown = rss_bytes() - before
    assert len(mock.control.journal()) == len(mock.control.charges()) == MAX_ENTRIES
    # Less than 0.5 KB for each: no picture, no word.
    assert grown < 32 * 1024 * 1024
