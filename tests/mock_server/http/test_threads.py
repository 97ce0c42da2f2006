"""Many clients at once keep the ledger exact."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

from kit.mock_world import P1
from vendors.didit import post_match

PRICE = Decimal("0.05")


def test_concurrent_clients_get_their_own_responses_and_exact_charges(mock):
    mock.control.set_limit("write", None)

    def ask(job):
        # Bytes after the end of a PNG change its digest and nothing else.
        picture = P1 + job.to_bytes(8, "big") * 2048
        answer = post_match(mock.url, mock.live_key, picture, vendor_data=job, timeout=30)
        assert answer.json()["vendor_data"] == str(job)
        return answer.json()["request_id"]

    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(ask, range(48)))
    charges = mock.control.charges()
    assert ids == {charge.request_id for charge in charges}
    assert len(ids) == len(charges) == 48
    assert [charge.balance for charge in charges] == [100 - n * PRICE for n in range(1, 49)]
    assert mock.control.balance() == charges[-1].balance
    numbers = [session.number for session in mock.control.sessions.all()]
    assert sorted(numbers) == list(range(1, 49))
