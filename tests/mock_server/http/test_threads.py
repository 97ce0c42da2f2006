"""Many clients at once keep the ledger exact."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import requests
from kit.mock_didit import post_match

from facematch_mock_server import card_sheet

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


def test_concurrent_clients_get_their_own_responses_and_exact_charges(mock):
    parts = [range(48)[number::THREADS] for number in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as pool:
        answers = [answer for part in pool.map(ask, [mock] * THREADS, parts) for answer in part]
    charges = mock.control.charges()
    assert Counter(answer.status_code for answer in answers) == {200: 48}
    jobs = [str(job) for part in parts for job in part]
    assert [answer.json()["vendor_data"] for answer in answers] == jobs
    ids = {answer.json()["request_id"] for answer in answers}
    assert ids == {charge.request_id for charge in charges}
    assert len(ids) == len(charges) == len(mock.control.sessions.all()) == 48
    assert mock.control.balance() == 100 - 48 * PRICE
    assert [charge.balance for charge in charges] == [100 - n * PRICE for n in range(1, 49)]
    assert sorted(session.number for session in mock.control.sessions.all()) == [*range(1, 49)]
