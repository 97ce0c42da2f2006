"""GET /v3/sessions/."""

import functools
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import mock_didit as didit
from kit.mock_didit import match, picture
from kit.mock_didit_sessions import SANDBOX, listed, nth, sent

#: Numbers of sessions -> the queries that list them.
FOUND = {
    (2, 1): (
        "",
        "session_kind=all",
        "status=Approved,Declined",
        "country=",
        "date_from=2026-07-02",
        "date_to=2026-07-02",
        "session_type=API",
        "session_type=ALL",
        "unheard_of=1",
        "limit=0&offset=-1",
        "limit=x&offset=x",
    ),
    (): (
        "session_kind=business",
        "status=approved",
        "status=Bogus",
        "vendor_data=emp",
        "search=nothing",
        "workflow_id=00000000-0000-4000-8000-000000000000",
        "country=ESP",
        "document_type=P",
        "date_from=2026-07-03",
        "date_to=2026-07-01",
        "session_type=HOSTED",
        "session_type=MIGRATED",
        "api_service=POA",
        "warning=BOGUS",
        "offset=9",
    ),
    (1,): (
        "status=Approved",
        "vendor_data=emp-0042",
        "search=EMP-00",
        "api_service=FACE_MATCH",
        "limit=1&offset=1",
    ),
    (2,): (
        "status=Bogus,Declined",
        "api_service=PASSIVE_LIVENESS",
        "warning=LOW_LIVENESS_SCORE",
        "warning=BOGUS,LOW_LIVENESS_SCORE",
        "status=Approved&status=Declined",
        "limit=1",
    ),
}
#: query -> the body of the 400
REFUSED = [
    ("session_kind=x", {"session_kind": 'Must be "user", "business", or "all".'}),
    ("date_from=y", {"date_from": ["Enter a valid date."]}),
    ("date_from=20260702", {"date_from": ["Enter a valid date."]}),
    ("date_to=2026-02-30", {"date_to": ["Enter a valid date."]}),
    ("didit_internal_id=7", {"didit_internal_id": ["Enter a valid UUID."]}),
    (
        "api_service=FOO",
        {"api_service": ["Select a valid choice. FOO is not one of the available choices."]},
    ),
    (
        "date_to=x&api_service=%7BFOO%7D",
        {
            "date_to": ["Enter a valid date."],
            "api_service": ["Select a valid choice. {FOO} is not one of the available choices."],
        },
    ),
]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [(query, [*numbers]) for numbers, queries in FOUND.items() for query in queries],
)
def test_what_is_listed(engine, told, query, numbers):
    """The newest first, through every filter."""
    status, body = told(engine, listed(query))
    assert status == 200
    assert [row["session_number"] for row in body["results"]] == numbers


@pytest.mark.parametrize(("query", "body"), REFUSED)
def test_what_is_refused(engine, told, query, body):
    """By name; a wrong kind as a text, all others as arrays."""
    assert told(engine, listed(query)) == (400, body)


def test_a_row(engine, told):
    """As the contract shows it."""
    row = told(engine, listed("api_service=FACE_MATCH"))[1]["results"][0]
    session = engine.world.sessions.all()[0]
    assert row == {
        "session_id": session.id,
        "session_kind": "user",
        "session_number": 1,
        "session_url": None,
        "portrait_image": None,
        "document_type": None,
        "full_name": None,
        "country": None,
        "status": "Approved",
        "vendor_data": "emp-0042",
        "didit_internal_id": session.internal_id,
        "created_at": "2026-07-02T09:15:27.104233Z",
        "features": [{"feature": "FACE_MATCH", "status": "Approved"}],
        "phone_number": None,
        "email_address": None,
        "additional_details": {"face_match": {"score": 55.5}},
    }
    found = told(engine, listed(f"didit_internal_id={session.internal_id.upper()}"))[1]
    assert found["results"] == [row]


def test_a_row_without_a_score(told):
    """Leaves the key out: a number is documented there."""
    engine = didit.new_engine()
    engine.handle(match(picture(faces=0)))
    assert told(engine, listed())[1]["results"][0]["additional_details"] == {"face_match": {}}


def test_who_sees_what(engine, told):
    """The organization its own, a sandbox key nothing, nobody without a key."""
    other = engine.accounts.open("other")
    assert told(engine, listed(key=next(iter(other.first_keys["didit"]))))[1]["count"] == 0
    assert told(engine, listed())[1]["count"] == 2
    assert told(engine, listed(key=SANDBOX)) == (
        200,
        {"count": 0, "next": None, "previous": None, "results": []},
    )
    assert told(engine, listed(key=None)) == (
        403,
        {"detail": "You do not have permission to perform this action."},
    )


def test_the_path_without_its_slash(engine):
    """301 with the query as it was sent, and without a key."""
    response = engine.handle(sent("/v3/sessions?limit=1&status=A%20b", key=None))
    assert (response.status, response.body) == (301, b"")
    assert response.header("Location") == "/v3/sessions/?limit=1&status=A%20b"


def many(count, **settings):
    """A world with so many comparisons."""
    engine = didit.new_engine(**settings)
    for number in range(count):
        engine.handle(match(picture(score=50 + number % 40)))
    return engine


@pytest.mark.parametrize(("edition", "size"), [("2026-03", 20), ("2026-07", 50)])
def test_the_size_of_a_page(edition, size, told):
    """20 rows in March, 50 since; the count is that of all pages."""
    engine = many(52, edition=edition)
    body = told(engine, listed())[1]
    assert (body["count"], len(body["results"]), body["previous"]) == (52, size, None)
    assert body["next"] == f"http://127.0.0.1:8080/v3/sessions/?limit={size}&offset={size}"


def test_addresses_of_neighbours(told):
    """With the filters, sorted by name; the first page has no offset."""
    body = told(many(5), listed("status=Approved&offset=2&limit=2&a=b%20c"))[1]
    base = "http://127.0.0.1:8080/v3/sessions/?a=b+c&limit=2"
    assert body["next"] == f"{base}&offset=4&status=Approved"
    assert body["previous"] == f"{base}&status=Approved"


@pytest.mark.parametrize(
    ("query", "numbers", "following", "preceding"),
    [
        ("page_size=2", [5, 4], "page=2&page_size=2", None),
        ("page=2&page_size=2", [3, 2], "page=3&page_size=2", "page_size=2"),
        ("page=last&page_size=2", [1], None, "page=2&page_size=2"),
        ("page=1&page_size=x", [5, 4, 3, 2, 1], None, None),
    ],
)
def test_numbered_pages(told, query, numbers, following, preceding):
    """In March a page may be asked for by its number."""
    body = told(many(5, edition="2026-03"), listed(query))[1]
    assert [row["session_number"] for row in body["results"]] == numbers
    base = "http://127.0.0.1:8080/v3/sessions/?"
    assert body["next"] == (following and base + following)
    assert body["previous"] == (preceding and base + preceding)


@pytest.mark.parametrize("page", ["0", "-1", "2", "x", "9" * 5000])
def test_a_page_that_there_is_not(told, page):
    """404 in March; since then the parameter is not known."""
    assert told(many(1, edition="2026-03"), listed(f"page={page}")) == (
        404,
        {"detail": "Invalid page."},
    )
    assert told(many(1), listed(f"page={page}"))[0] == 200


@functools.cache
def seven(edition):
    """A world with seven comparisons that is only read."""
    engine = many(7, edition=edition)
    engine.world.rates.set_limit("get", None)
    return engine


@given(
    limit=st.integers(1, 9), edition=st.sampled_from(["2026-03", "2026-07"]), numbered=st.booleans()
)
def test_pages_together_are_the_list(limit, edition, numbered):
    """Followed forward and back again, every row comes once, in order."""
    engine = seven(edition)
    name = "page_size" if numbered and edition == "2026-03" else "limit"
    seen, pages, query = [], [], f"{name}={limit}"
    while True:
        body = engine.handle(listed(query)).json()
        pages.append(body["results"])
        seen += [row["session_number"] for row in body["results"]]
        if body["next"] is None:
            break
        query = urlsplit(body["next"]).query
    assert seen == [7, 6, 5, 4, 3, 2, 1]
    for expected in reversed(pages[:-1]):
        query = urlsplit(body["previous"]).query
        body = engine.handle(listed(query)).json()
        assert body["results"] == expected
    assert body["previous"] is None


@given(
    query=st.text(max_size=40)
    | st.dictionaries(
        st.sampled_from(["status", "limit", "offset", "date_from", "session_type", "search"]),
        st.text(max_size=6),
    ).map(lambda known: "&".join(f"{name}={value}" for name, value in known.items()))
)
def test_any_query_is_answered(query):
    """200 or 400, never anything else, and the addresses can be sent."""
    response = seven("2026-07").handle(listed(query.encode("ascii", "ignore").decode()))
    assert response.status in (200, 400)


def test_the_id_finds_itself(engine, told):
    """search takes a part of an id, too."""
    part = nth(engine, 2)[:13]
    assert [
        one["session_number"] for one in told(engine, listed(f"search={part}"))[1]["results"]
    ] == [2]
