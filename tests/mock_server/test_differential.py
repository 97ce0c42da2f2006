"""Every way into the real engine gives the same answer: socket, adapter, `responses`.

Requests are made up: proper forms and broken ones, wrong types, odd names, missing parts, every
kind of key, every edition. Clock and seed are the same in all worlds, so ids and times are too.
"""

import contextlib
import datetime as dt
import functools

import pytest
import requests
import responses
from hypothesis import event, given, settings
from hypothesis import strategies as st
from kit.mock_didit import LIVENESS_PATH, LIVENESS_THRESHOLD, MATCH_PATH, MATCH_THRESHOLD
from kit.mock_ways import by_requests, on_the_wire

from facematch_mock_server import MockServer, VirtualClock, card_sheet
from facematch_mock_server.http.in_responses import register

START = dt.datetime(2026, 7, 2, 9, 15, 27, 104233, tzinfo=dt.UTC)
BOUNDARY = "6f1d2c3b4a59e8f70d1c2b3a49586776"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"
CARDS = ("p1", "p2", "no-face", "turned-90", "spoof", "liveness-none", "score-30", "review")
FORM_PICTURES = st.sampled_from([card_sheet()[name].data for name in CARDS])
CONTENTS = FORM_PICTURES | st.sampled_from([b"", b"GIF89a", b"x" * 70_000]) | st.binary(max_size=40)
FILE_NAMES = st.sampled_from(
    [
        *("a.jpg", "a.PNG", "a.tif", "a.tiff", "a", ".jpg", "a.jpg.", "ä.png", "x/y\\z.webp"),
        "a&#46;jpg",
    ]
) | st.text(max_size=8).map(lambda text: text.replace("\r", "").replace("\n", ""))
FORM_TEXTS = st.sampled_from(
    [
        *("true", "False", "yes", "off", "maybe", "", "0", "30", "30.0", "1e2", "100.01", "-0.5"),
        *("NaN", "inf", "٣", "3 0", '{"gate":"north"}', "[]", "{", '{"a":1e999}', "emp-0042"),
    ]
) | st.text(max_size=12)


def part(name, content, filename=None):
    """One part of a form; `filename` makes it a file."""
    disposition = f'Content-Disposition: form-data; name="{name}"'
    if filename is not None:
        disposition += f'; filename="{filename}"\r\nContent-Type: image/png'
    return disposition.encode(errors="replace") + b"\r\n\r\n" + content


def form(parts):
    """The body that these parts make."""
    lines = b"".join(b"--%b\r\n%b\r\n" % (BOUNDARY.encode(), part) for part in parts)
    return lines + f"--{BOUNDARY}--\r\n".encode()


good_file = functools.partial(part, filename="a.png")


class Ways:
    """Three servers that are alike, and a way into each."""

    def __init__(self):
        self.worlds = [MockServer(clock=VirtualClock(START), seed=11) for _ in range(3)]
        self.url = self.worlds[0].start().url
        self.port = self.worlds[0].port
        self.mounted = requests.Session()
        self.mounted.mount(self.url, self.worlds[1].adapter())
        self.plain = requests.Session()

    def close(self):
        self.mounted.close()
        self.plain.close()
        self.worlds[0].stop()

    def reset(self, **settings):
        for world in self.worlds:
            world.control.reset(**settings)

    def by_socket(self, sent):
        return on_the_wire(sent, self.url, self.port)

    def by_adapter(self, sent):
        return by_requests(self.mounted, sent, self.url)

    def by_responses(self, sent):
        with responses.RequestsMock() as rsps:
            register(rsps, self.worlds[2].app, [self.url])
            return by_requests(self.plain, sent, self.url)

    def alike(self, sent):
        """The answer to a request, which is the same whatever way it takes."""
        expected = self.by_socket(sent)
        assert self.by_adapter(sent) == expected
        assert self.by_responses(sent) == expected
        return expected

    def check_state(self):
        """The requests left the same behind in each world."""
        first, *others = self.state()
        assert all(other == first for other in others)

    def state(self):
        return [
            (
                world.control.charges(),
                world.control.balance(),
                world.control.sessions.all(),
                world.control.journal(),
            )
            for world in self.worlds
        ]


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
    with contextlib.closing(Ways()) as ways:
        yield ways


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
