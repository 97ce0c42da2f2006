"""Bodies that are refused, verdicts, the shapes that they come in, and what a test makes up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import mock_deepvue as deepvue
from kit.mock_deepvue import (
    FACEMATCH,
    deepvue_liveness,
    deepvue_match,
    deepvue_request,
    jpeg_scene,
    token_of,
)
from kit.mock_worlds import control_of, handle_with_fault

from facematch_mock_server import Fault


@pytest.fixture(scope="module")
def ask():
    engine = deepvue.new_engine(vendor="deepvue")
    token = token_of(engine)

    def send(make_request, *arguments, **more):
        return engine.handle(make_request(*arguments, token=token, **more))

    return send


@given(body=st.binary(max_size=80), kind=st.sampled_from(["application/json", None, "x"]))
def test_any_body_is_refused_and_never_by_a_fault_of_the_mock(ask, body, kind):
    for path in (FACEMATCH, deepvue.LIVENESS_CHECK):
        assert ask(deepvue_request, path, body, kind).status in (400, 422)


class Asking:
    """A world of Deepvue's with these switches, and calls to it with a good token."""

    def __init__(self, **switches):
        self.app = deepvue.new_engine(vendor="deepvue", switches=switches)
        self.control = control_of(self.app.world)
        self.token = token_of(self.app)

    def match(self, *pictures, **more):
        return self.app.handle(deepvue_match(*pictures, token=self.token, **more))

    def liveness(self, *pictures, **more):
        return self.app.handle(deepvue_liveness(*pictures, token=self.token, **more))


@pytest.mark.parametrize(
    ("score", "shown"), [(98, (True, 98)), (60, (True, 60)), (59.6, (False, 60))]
)
def test_confidence_is_the_likeness_as_a_whole_number(score, shown):
    data = Asking().match(jpeg_scene(score=score)).json()["data"]
    assert (data["match"], data["confidence"]) == shown


def test_the_same_bytes_match_with_98():
    same = jpeg_scene(score=40)
    assert Asking().match(same, same).json()["data"] == {"match": True, "confidence": 98}


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "Bad Request"),
        (401, "Could not validate credentials"),
        (402, "Payment Required"),
        (403, "Not a valid token"),
        (404, "Not Found"),
        (405, "Method Not Allowed"),
        (429, "Rate limit exceeded. Please retry after some time."),
        (500, "Internal Server Error"),
        (503, "Source Unavailable"),
    ],
)
def test_faults_have_the_vendors_words(status, words):
    fault = Fault(stage="answer", kind="status", status=status)
    answer = handle_with_fault(Asking().app, fault, deepvue_match())
    assert (answer.status, answer.json()) == (status, {"detail": words})
