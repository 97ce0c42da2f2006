"""As `test_differential`, for Deepvue beside Didit: one answer, whichever way the request came."""

import base64
import contextlib
import json

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from kit.mock_deepvue import token_of
from kit.mock_ways import CONTENTS, FILE_NAMES, PICTURES, TEXTS, TYPE, Ways, form, good_file, part

fields = st.builds(
    part,
    st.sampled_from(["file_a", "FILE_B", "client_id", "", "x" * 300]),
    TEXTS.map(lambda text: text.encode(errors="replace")),
)
SETTLED = (
    {},
    {"error_shape": "envelope", "code": "null", "confidence_as": "decision"},
    {"bad_token": 401, "no_face": 200, "expiry": "expires_in", "retry_after": True},
    {"second_limit": 1, "liveness_score": "number", "start_credit": "0.05"},
)
GOOD_FORMS = st.builds(
    lambda one, other, more: [good_file("file_a", one), good_file("file_b", other), *more],
    PICTURES,
    PICTURES,
    st.lists(fields, max_size=2),
)
ANY_FORMS = st.lists(
    st.builds(part, st.sampled_from(["file_a", "file_b", "client_id"]), CONTENTS, FILE_NAMES)
    | fields,
    max_size=4,
)
IMAGES = CONTENTS.map(lambda data: base64.b64encode(data).decode()) | TEXTS
JSON_BODIES = st.one_of(
    IMAGES.map(lambda text: json.dumps({"image": text}).encode()),
    IMAGES.map(lambda text: json.dumps({"image": f"data:image/png;base64,{text}"}).encode()),
    st.sampled_from([b"", b"{", b"[]", b"null", b'{"image": 7}', b'{"image": NaN}', b"[" * 9999]),
    st.binary(max_size=30),
)
PAIRS = st.sampled_from(
    [
        b"client_id=mock-client&client_secret=mock-live-key",
        b"client_id=mock-client&client_secret=x",
        b"client_id=mock-client",
        b"&&=",
    ]
)


@st.composite
def deepvue_requests(draw):
    """One request as plain data; what it says of a token is filled in when it is sent."""
    path, kind, bodies_of = draw(
        st.sampled_from(
            [
                *[("/v1/facematch", TYPE, GOOD_FORMS.map(form))] * 4,
                ("/v1/facematch", TYPE, ANY_FORMS.map(form)),
                ("/v2/facematch", TYPE, GOOD_FORMS.map(form)),
                *[("/v1/liveness-check", "application/json", JSON_BODIES)] * 4,
                ("/v1/authorize", "application/x-www-form-urlencoded", PAIRS),
                ("/v1/internal/wallet-balance", None, st.just(b"")),
                ("/v1/nothing", None, st.just(b"")),
            ]
        )
    )
    authorization = draw(st.sampled_from([*["Bearer {token}"] * 6, "Bearer x", "Basic x", None]))
    headers = {
        "Content-Type": kind if draw(st.booleans()) else draw(st.sampled_from([kind, None, "x"])),
        "Authorization": authorization,
        "x-api-key": draw(st.sampled_from([*["mock-live-key"] * 5, "wrong", None])),
        "client-id": draw(st.sampled_from(["mock-client", None])),
    }
    method = "GET" if path.endswith("balance") else "POST"
    return {
        "method": draw(st.sampled_from([method] * 9 + ["GET", "HEAD", "PUT"])),
        "path": path + draw(st.sampled_from(["", "", "?a=1&client_secret=x"])),
        "headers": {name: value for name, value in headers.items() if value is not None},
        "body": draw(bodies_of),
    }


def with_token(sent, token):
    """The request with a good token in the place of its mark."""
    headers = {name: text.replace("{token}", token) for name, text in sent["headers"].items()}
    return {**sent, "headers": headers}


@pytest.fixture(scope="module")
def ways():
    """Three worlds; each example begins them anew."""
    with contextlib.closing(Ways()) as made:
        yield made


@given(settled=st.sampled_from(SETTLED), asked=st.lists(deepvue_requests(), min_size=1, max_size=3))
@settings(max_examples=100)
def test_every_way_in_gives_the_same_answer_of_deepvue(ways, settled, asked):
    """The same for the second vendor of the same servers."""
    ways.reset_deepvue(settled)
    tokens = {token_of(world.app) for world in ways.worlds}
    assert len(tokens) == 1
    for one in asked:
        sent = with_token(one, *tokens)
        event(f"status {ways.alike(sent)[0]}")
    ways.check_state()
