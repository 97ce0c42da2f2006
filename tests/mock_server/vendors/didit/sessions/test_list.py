import pytest
from vendors.didit import list_request

from facematch_core.base.addresses import HINT_HEADER

#: Numbers of sessions -> the queries that list them.
LISTED = {
    (2, 1): (
        "",
        "unheard_of=1",
        "date_from=2026-07-02",
        "session_type=API",
        "session_type=ALL",
        "limit=0&offset=-1",
        "limit=x&offset=x",
    ),
    (): (
        "vendor_data=emp",
        "date_from=2026-07-03",
        "offset=9",
        "session_type=HOSTED",
        "session_type=MIGRATED",
        "api_service=POA",
    ),
    (1,): (
        "vendor_data=emp-0042",
        "api_service=FACE_MATCH",
        "limit=1&offset=1",
    ),
    (2,): (
        "api_service=PASSIVE_LIVENESS",
        "limit=1",
    ),
}
#: query -> the body of the 400
REFUSED = [
    ("date_from=y", {"date_from": ["Enter a valid date."]}),
    (
        "session_type=x",
        {"session_type": ["Select a valid choice. x is not one of the available choices."]},
    ),
    ("date_from=2026-13-01&api_service=FACE_MATCH", {"date_from": ["Enter a valid date."]}),
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


def test_filter_that_the_mock_lacks_has_a_hint(engine):
    response = engine.handle(list_request("warning=x&status=Declined&limit=1"))
    assert response.status == 200
    assert "filter by status, warning" in response.header(HINT_HEADER)
    assert engine.handle(list_request("session_type=API")).header(HINT_HEADER) is None
