"""Every way into the real engine gives the same answer: socket, adapter, `responses`.

Requests are made up: proper forms and broken ones, wrong types, odd names, missing parts, every
kind of key, every edition. Clock and seed are the same in all worlds, so ids and times are too.
"""

import contextlib

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from kit.mock_didit import LIVENESS_PATH, LIVENESS_THRESHOLD, MATCH_PATH, MATCH_THRESHOLD
from kit.mock_ways import (
    CONTENTS,
    FILE_NAMES,
    FORM_PICTURES,
    FORM_TEXTS,
    TYPE,
    Ways,
    form,
    good_file,
    part,
)

EDITIONS = ("2026-03", "2026-07", "2026-11")
SWITCHES = ({}, {"undecodable": 400}, {"credits_before_validation": True})

KEYS = st.sampled_from(
    ["mock-live-key"] * 5 + ["mock-sandbox-key", "wrong", "", "mock-live-key ", None]
)
ODD_NAMES = ("user_image[]", "USER_IMAGE", "", "ü", 'a"b', "user_image\\", "x" * 300, "__proto__")
NAMES = st.sampled_from(
    [
        *("user_image", "ref_image", MATCH_THRESHOLD, LIVENESS_THRESHOLD),
        *("rotate_image", "save_api_request", "vendor_data", "metadata"),
        *ODD_NAMES,
    ]
)
fields = st.builds(part, NAMES, FORM_TEXTS.map(lambda text: text.encode(errors="replace")))
files = st.builds(part, NAMES, CONTENTS, FILE_NAMES)
good_forms = st.builds(
    lambda probe, reference, more: [
        good_file("user_image", probe),
        good_file("ref_image", reference),
        *more,
    ],
    FORM_PICTURES,
    FORM_PICTURES,
    st.lists(fields, max_size=3),
)
any_forms = st.lists(fields | files, max_size=5)

TYPES = st.sampled_from(
    [
        *(TYPE.replace("=", '="') + '"', TYPE.upper(), TYPE + "; charset=utf-8"),
        *("multipart/form-data", "multipart/form-data; boundary=", TYPE[:-1], "multipart/mixed"),
        *("application/json", "application/x-www-form-urlencoded", "image/png", "", None),
    ]
)
OTHER_PATHS = [MATCH_PATH[:-1], "/v3/face-mach/", "/v3/session/7/decision/", "/", "/v3/%00"]
HARMS = {
    "cut": lambda body, at: body[: at % (len(body) + 1)],
    "flipped byte": lambda body, at: body[: at % len(body)] + b"\0" + body[at % len(body) + 1 :],
    "bare line ends": lambda body, _: body.replace(b"\r\n", b"\n"),
    "preamble": lambda body, _: b"preamble\r\n" + body,
    "epilogue": lambda body, _: body + b"epilogue",
    "doubled": lambda body, _: body + body,
    "no name": lambda body, _: body.replace(b"; name=", b"; nome="),
    "long head": lambda body, _: body.replace(b"\r\n\r\n", b"\r\nX: " + b"y" * 5000 + b"\r\n\r\n"),
}


@st.composite
def bodies(draw):
    """A body and its content type: whole, broken, or none."""
    kind = draw(st.sampled_from(["good", "good", "any", "any", "harmed", "bytes"]))
    event(kind)
    if kind == "bytes":
        return draw(st.binary(max_size=60)), draw(TYPES)
    body = form(draw(any_forms if kind == "any" else good_forms))
    if kind != "harmed":
        return body, TYPE
    harm = draw(st.sampled_from([*HARMS, "type"]))
    if harm == "type":
        return body, draw(TYPES)
    return HARMS[harm](body, draw(st.integers(0, 20_000))), TYPE


@st.composite
def requests_sent(draw):
    """One request as plain data."""
    body, content_type = draw(bodies())
    headers = {"Content-Type": content_type, "x-api-key": draw(KEYS)}
    headers["X-Forwarded-For"] = draw(st.sampled_from([None, None, "198.51.100.7, 10.0.0.1"]))
    path = draw(st.sampled_from([MATCH_PATH] * 10 + [LIVENESS_PATH] * 8 + OTHER_PATHS))
    return {
        "method": draw(st.sampled_from(["POST"] * 12 + ["GET", "PUT", "HEAD", "OPTIONS"])),
        "path": path + draw(st.sampled_from(["", "", "", "?a=1&api_key=x"])),
        "headers": {name: value for name, value in headers.items() if value is not None},
        "body": body,
    }


@pytest.fixture(scope="module")
def ways():
    """Three worlds; each example begins them anew."""
    with contextlib.closing(Ways()) as made:
        yield made


@st.composite
def examples(draw):
    """What the worlds are set to, and what they are asked."""
    chosen = {
        "edition": draw(st.sampled_from(EDITIONS)),
        "switches": draw(st.sampled_from(SWITCHES)),
    }
    return {
        "chosen": chosen,
        "limit": draw(st.sampled_from([300, 300, 300, 1, 0, None])),
        "balance": draw(st.sampled_from([100, 100, 100, "0.05", 0])),
        "asked": draw(st.lists(requests_sent(), min_size=1, max_size=3)),
    }


def check(ways, example):
    ways.reset(**example["chosen"])
    for world in ways.worlds:
        world.control.set_limit("write", example["limit"])
        world.control.set_balance(example["balance"])
    for sent in example["asked"]:
        event(f"status {ways.alike(sent)[0]}")
    ways.check_state()


@given(example=examples())
@settings(max_examples=60)
def test_every_way_into_the_engine_gives_the_same_answer(ways, example):
    check(ways, example)


@pytest.mark.long
@given(example=examples())
@settings(max_examples=2000)
def test_every_way_in_with_many_more_requests(ways, example):
    check(ways, example)
