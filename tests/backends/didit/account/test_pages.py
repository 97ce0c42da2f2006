"""Lists in pages: both editions' counters, each row once, never an address that an answer names."""

import pytest

from facematch_core import Charged, UnexpectedResponse
from facematch_didit import client

ELSEWHERE = "https://evil.example/v3/sessions/"


def page(numbers, following=None):
    rows = [{"session_id": f"s-{number}", "status": "Approved"} for number in numbers]
    return (200, {"count": 9, "next": following, "results": rows})


def ids(account, **filters):
    return [session.session_id for session in account.sessions(**filters)]


#: Many whole pages may come again while sessions come in.
STALE = [page([1, 2], f"?offset={n}") for n in range(2, 10)]


@pytest.mark.parametrize(
    ("pages", "numbers"),
    [
        ([page([1], "/v3/sessions/?page=2&page_size=1"), page([2])], [1, 2]),
        # A new session pushes the last row of a page onto the next.
        ([page([1, 2], "?offset=2"), page([2, 3])], [1, 2, 3]),
        ([page([1], "?offset=1"), page([], "?offset=2")], [1]),
        ([*STALE, page([3])], [1, 2, 3]),
        ([(200, page([1, 2])[1]["results"])], [1, 2]),
    ],
    ids=["page numbers", "a row that moved", "an empty page", "stale pages", "no pages"],
)
def test_each_row_comes_once_and_the_list_ends(scripted_account, pages, numbers):
    account, script = scripted_account(*pages)
    assert ids(account) == [f"s-{number}" for number in numbers]
    assert len(script.seen) == len(pages)


def test_counters_are_taken_from_next_and_filters_and_host_are_ours(scripted_account):
    account, script = scripted_account(
        page([1, 2], f"{ELSEWHERE}?limit=2&offset=2&vendor_data=theirs"), page([3])
    )
    assert ids(account, caller_ref="ours") == ["s-1", "s-2", "s-3"]
    whole = "https://verification.didit.me/v3/sessions/?vendor_data=ours&limit="
    assert [request.url for request in script.seen] == [f"{whole}50&offset=0", f"{whole}2&offset=2"]


@pytest.mark.parametrize(
    ("pages", "most_requests"),
    [
        *(
            ([page([1], following)], 1)
            for following in ("?limit=50&offset=0", "?cursor=abc", "?offset=-1", "/next", 7)
        ),
        ([page([1], "?offset=x")], 1),
        # The same rows again and again, under a counter that grows.
        ([page([1, 2], f"?offset={n}") for n in range(2, 400)], client.MAX_STALE_PAGES + 1),
        # Two pages that name each other.
        ([page([n], f"?limit=50&offset={at}") for n, at in ((1, 50), (2, 100), (3, 50))], 3),
    ],
)
def test_a_list_that_leads_nowhere_or_has_no_end_is_an_error(
    scripted_account, pages, most_requests
):
    account, script = scripted_account(*pages)
    with pytest.raises(UnexpectedResponse) as caught:
        ids(account)
    assert caught.value.billing.charged is Charged.NO
    assert len(script.seen) <= most_requests


def test_new_rows_without_end_are_an_error(scripted_account, monkeypatch):
    monkeypatch.setattr(client, "MAX_PAGES", 30)
    account, script = scripted_account(*(page([n], f"?offset={n}") for n in range(1, 400)))
    with pytest.raises(UnexpectedResponse):
        ids(account)
    assert len(script.seen) == 30
