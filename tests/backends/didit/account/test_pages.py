"""Lists in pages: both editions' counters, each row once, never an address that an answer names."""

import itertools

import pytest

from facematch_core import Charged, UnexpectedResponse
from facematch_didit import client
from facematch_didit.client import MAX_STALE_PAGES

ELSEWHERE = "https://evil.example/v3/sessions/"


def row(number):
    return {"session_id": f"s-{number}", "status": "Approved"}


def page(numbers, following=None):
    return (200, {"count": 9, "next": following, "results": [row(number) for number in numbers]})


def ids(account, **filters):
    return [session.session_id for session in account.sessions(**filters)]


def queries(script):
    return [request.url.partition("?")[2] for request in script.seen]


def test_limit_and_offset(scripted):
    """The counters of `next` are taken, the filters stay, and the host is ours."""
    account, script = scripted(
        page([1, 2], f"{ELSEWHERE}?limit=2&offset=2&vendor_data=theirs"), page([3])
    )
    assert ids(account, caller_ref="ours", page_size=2) == ["s-1", "s-2", "s-3"]
    assert queries(script) == [
        "vendor_data=ours&limit=2&offset=0",
        "vendor_data=ours&limit=2&offset=2",
    ]
    assert {request.url.partition("?")[0] for request in script.seen} == {
        "https://verification.didit.me/v3/sessions/"
    }


def test_page_and_page_size(scripted):
    """The other edition's way of counting."""
    account, script = scripted(page([1], "/v3/sessions/?page=2&page_size=1"), page([2]))
    assert ids(account) == ["s-1", "s-2"]
    assert queries(script)[1] == "page=2&page_size=1"


def test_pages_come_when_they_are_needed(scripted):
    """Who looks at two rows asks for one page."""
    account, script = scripted(page([1, 2], "?offset=2"), page([3]))
    assert len(list(itertools.islice(account.sessions(), 2))) == 2
    assert len(script.seen) == 1


def test_a_row_that_moved_comes_once(scripted):
    """A new session pushes the last row of a page onto the next."""
    account, _ = scripted(page([1, 2], "?offset=2"), page([2, 3]))
    assert ids(account) == ["s-1", "s-2", "s-3"]


def test_an_empty_page_is_the_end(scripted):
    """Whatever its `next` says."""
    account, script = scripted(page([1], "?offset=1"), page([], "?offset=2"))
    assert ids(account) == ["s-1"]
    assert len(script.seen) == 2


def test_a_bare_array_is_everything(scripted):
    """A list without pages is read as well."""
    account, _ = scripted((200, [row(1), row(2)]))
    assert ids(account) == ["s-1", "s-2"]


@pytest.mark.parametrize(
    "following", ["?limit=50&offset=0", "?cursor=abc", "?offset=-1", "/next", 7, "?offset=x"]
)
def test_a_next_that_leads_nowhere(following, scripted):
    """Back to the start, or in words we do not know: an error, not an endless list."""
    account, script = scripted(page([1], following))
    with pytest.raises(UnexpectedResponse, match="next"):
        ids(account)
    assert len(script.seen) == 1


def test_a_list_that_never_ends(scripted):
    """The same rows again and again, under a counter that grows: an error, and soon."""
    pages = [page([1, 2], f"?offset={n}") for n in range(2, 400)]
    account, script = scripted(*pages)
    with pytest.raises(UnexpectedResponse, match="no end of it") as caught:
        ids(account)
    assert caught.value.billing.charged is Charged.NO
    assert len(script.seen) <= MAX_STALE_PAGES + 1


def test_new_rows_without_end(scripted, monkeypatch):
    """Also where each page has a new one: no list is so long."""
    monkeypatch.setattr(client, "MAX_PAGES", 30)
    account, script = scripted(*(page([n], f"?offset={n}") for n in range(1, 400)))
    with pytest.raises(UnexpectedResponse, match="no end of it"):
        ids(account)
    assert len(script.seen) == 30


def test_many_sessions_come_in_during_the_reading(scripted):
    """Whole pages come again then; what follows is read all the same."""
    again = [page([1, 2], f"?offset={n}") for n in range(2, 10)]
    account, _ = scripted(*again, page([3]))
    assert ids(account) == ["s-1", "s-2", "s-3"]


def test_no_circle(scripted):
    """Two pages that name each other end in an error."""
    account, script = scripted(
        page([1], "?limit=50&offset=50"),
        page([2], "?limit=50&offset=100"),
        page([3], "?limit=50&offset=50"),
    )
    with pytest.raises(UnexpectedResponse, match="back to a page"):
        ids(account)
    assert len(script.seen) == 3
