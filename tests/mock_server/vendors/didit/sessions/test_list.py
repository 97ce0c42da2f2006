import pytest
from vendors.didit import list_request

#: Numbers of sessions -> the queries that list them.
LISTED = {
    (2, 1): (
        "",
        "session_kind=all",
        "status=Approved,Declined",
        "unheard_of=1",
        "date_from=2026-07-02",
        "date_to=2026-07-02",
        "session_type=API",
        "session_type=ALL",
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
        "date_from=2026-07-03",
        "date_to=2026-07-01",
        "offset=9",
        "session_type=HOSTED",
        "session_type=MIGRATED",
        "api_service=POA",
        "warning=BOGUS",
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
        "limit=1",
        "warning=LOW_LIVENESS_SCORE",
        "warning=BOGUS,LOW_LIVENESS_SCORE",
        "status=Approved&status=Declined",
    ),
}
#: query -> the body of the 400; other words are the framework's, and the oracle's.
REFUSED = [
    ("session_kind=x", {"session_kind": 'Must be "user", "business", or "all".'}),
    ("vendor_data=emp%00", {"vendor_data": ["Null characters are not allowed."]}),
    ("didit_internal_id=7", {"didit_internal_id": ["Enter a valid UUID."]}),
    ("session_kind=x&date_from=y", {"session_kind": 'Must be "user", "business", or "all".'}),
]


@pytest.mark.parametrize("numbers", LISTED)
def test_filtered_sessions_are_listed_newest_first(engine, answer, numbers):
    for query in LISTED[numbers]:
        status, body = answer(engine, list_request(query))
        assert status == 200
        assert tuple(row["session_number"] for row in body["results"]) == numbers, query


@pytest.mark.parametrize(("query", "body"), REFUSED)
def test_invalid_filter_is_rejected_by_name(engine, answer, query, body):
    assert answer(engine, list_request(query)) == (400, body)


@pytest.mark.parametrize(("start", "previous"), [(0, None), (1, ""), (2, "&offset=1")])
def test_list_page_links_to_the_previous_page(engine, answer, start, previous):
    body = answer(engine, list_request(f"limit=1&offset={start}"))[1]
    assert (body["previous"] or "").partition("limit=1")[2] == (previous or "")
    assert (body["previous"] is None) is (previous is None)


def test_session_is_found_by_its_internal_id(engine, answer):
    session = engine.world.sessions.all()[0]
    page = answer(engine, list_request(f"didit_internal_id={session.internal_id.upper()}"))[1]
    assert [row["session_id"] for row in page["results"]] == [session.id]
