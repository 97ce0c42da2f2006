"""Which verdict a call gets: what declines it, and when a person is to look."""

import attrs
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from facematch_mock_server import MockServer, card_sheet

URL = "http://127.0.0.1:1"
P1 = card_sheet()["p1"].data
PATHS = {
    "match": ("/v3/face-match/", "face_match"),
    "liveness": ("/v3/passive-liveness/", "liveness"),
}


def session_of(mock):
    """A session of requests that asks this mock without a socket."""
    session = requests.Session()
    session.mount(URL, mock.adapter())
    return session


def ask(mock, call="liveness", *, key=MockServer.live_key, save="false", **found):
    """One call, for which `found` is what the pictures show; its block and its id."""
    if found:
        mock.control.set_outcome(call, **found)
    path, block = PATHS[call]
    files = {"user_image": ("a.png", P1)}
    if call == "match":
        files["ref_image"] = ("b.png", P1)
    fields = {"save_api_request": save}
    with session_of(mock) as session:
        answer = session.post(URL + path, headers={"x-api-key": key}, files=files, data=fields)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return body[block], body["request_id"]


@attrs.frozen
class Found:
    """What a liveness check finds."""

    cents: int
    faces: int
    attack: bool
    blocklist: str | None
    duplicate: str | None


def types(found):
    """The type of each warning of a liveness check in July 2026, threshold 30, by tag."""
    there = {
        "LOW_LIVENESS_SCORE": ("error", found.cents <= 3000),
        "LIVENESS_FACE_ATTACK": ("error", found.attack),
        "MULTIPLE_FACES_DETECTED": ("warning", found.faces > 1),
        "FACE_IN_BLOCKLIST": ("error", found.blocklist == "certain"),
        "POSSIBLE_FACE_IN_BLOCKLIST": ("error", found.blocklist == "possible"),
        "DUPLICATED_FACE": ("information", found.duplicate == "certain"),
        "POSSIBLE_DUPLICATED_FACE": ("information", found.duplicate == "possible"),
    }
    return {tag: kind for tag, (kind, is_there) in there.items() if is_there}


LIKENESS = st.sampled_from([None, "certain", "possible"])
FOUND = st.builds(
    Found,
    cents=st.integers(0, 10_000) | st.sampled_from([2999, 3000, 3001]),
    faces=st.integers(1, 3),
    attack=st.booleans(),
    blocklist=LIKENESS,
    duplicate=LIKENESS,
)


@given(found=FOUND)
def test_a_warning_of_type_error_declines(found):
    """A liveness check, whatever else comes together; other warnings change nothing."""
    seen = {name: value for name, value in attrs.asdict(found).items() if value is not None}
    block, _ = ask(MockServer(), score=seen.pop("cents") / 100, **seen)
    assert {one["risk"]: one["log_type"] for one in block["warnings"]} == types(found)
    assert block["status"] == ("Declined" if "error" in types(found).values() else "Approved")


@given(cents=st.integers(0, 10_000))
def test_a_comparison_declines_up_to_its_threshold(cents):
    """And nothing above."""
    block, _ = ask(MockServer(), "match", score=cents / 100)
    assert block["status"] == ("Approved" if cents > 3000 else "Declined")


@pytest.mark.parametrize("call", PATHS)
def test_a_sandbox_key_approves(call):
    """Whatever the pictures show."""
    block, _ = ask(MockServer(), call, key=MockServer.sandbox_key, score=1)
    assert (block["status"], block["warnings"]) == ("Approved", [])


def test_a_session_in_review_goes_on():
    """With the switch an outcome gives it; it is kept, listed and decided like every other one."""
    mock = MockServer(switches={"in_review": True})
    _, name = ask(mock, "match", save="true", review=True)
    (session,) = mock.control.sessions.all()
    assert (session.id, session.status) == (name, "In Review")
    url = f"{URL}/v3/session/{name}"
    with session_of(mock) as client:
        client.headers["x-api-key"] = mock.live_key
        assert client.get(f"{url}/decision/").json()["status"] == "In Review"
        rows = client.get(f"{URL}/v3/sessions/?status=In Review").json()["results"]
        assert [row["session_id"] for row in rows] == [name]
        answer = client.patch(f"{url}/update-status/", json={"new_status": "Approved"})
        assert answer.status_code == 200
        assert client.get(f"{url}/decision/").json()["status"] == "Approved"


def test_a_card_that_asks_for_a_person():
    """Is In Review with the switch, unless a warning declines."""
    files = dict.fromkeys(("user_image", "ref_image"), ("a.png", card_sheet()["review"].data))
    mock = MockServer(switches={"in_review": True})
    with session_of(mock) as session:
        headers = {"x-api-key": mock.live_key}
        for score, status in ((80, "In Review"), (None, "Declined")):
            mock.control.set_outcome("match", score=score)
            answer = session.post(f"{URL}/v3/face-match/", headers=headers, files=files).json()
            assert answer["face_match"]["status"] == status
