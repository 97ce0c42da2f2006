"""Every way into the real engine gives the same answer: socket, adapter, `responses`.

Requests are made up: proper forms and broken ones, wrong types, odd names, missing parts, every
kind of key, every edition. Clock and seed are the same in all worlds, so ids and times are too.
"""

import datetime as dt
import functools

import pytest
import requests
import responses
from hypothesis import event, given, settings
from hypothesis import strategies as st
from mock_didit import LIVENESS, LIVENESS_THRESHOLD, MATCH, MATCH_THRESHOLD
from rawclient import RawClient

from facematch_mock_server import MockServer, VirtualClock, card_sheet
from facematch_mock_server.fronts import prepared
from facematch_mock_server.fronts.in_responses import register

START = dt.datetime(2026, 7, 2, 9, 15, 27, 104233, tzinfo=dt.UTC)
BOUNDARY = "6f1d2c3b4a59e8f70d1c2b3a49586776"
#: Headers that belong to the connection, not to the answer.
FRONTS = {"date", "server", "connection", "keep-alive", "transfer-encoding", "content-length"}
EDITIONS = ("2026-03", "2026-07", "2026-11")
SWITCHES = ({}, {"undecodable": 400}, {"credits_before_validation": True})

CARDS = ("p1", "p2", "no-face", "turned-90", "spoof", "liveness-none", "score-30", "review")
PICTURES = st.sampled_from([card_sheet()[name].data for name in CARDS])
CONTENTS = PICTURES | st.sampled_from([b"", b"GIF89a", b"x" * 70_000]) | st.binary(max_size=40)
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
FILE_NAMES = st.sampled_from(
    [
        "a.jpg",
        "a.PNG",
        "a.tif",
        "a.tiff",
        "a",
        ".jpg",
        "a.jpg.",
        "ä.png",
        "x/y\\z.webp",
        "a&#46;jpg",
    ]
) | st.text(max_size=8).map(lambda text: text.replace("\r", "").replace("\n", ""))
TEXTS = st.sampled_from(
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
    lines = b"".join(b"--%b\r\n%b\r\n" % (BOUNDARY.encode(), one) for one in parts)
    return lines + f"--{BOUNDARY}--\r\n".encode()


fields = st.builds(part, NAMES, TEXTS.map(lambda text: text.encode(errors="replace")))
files = st.builds(part, NAMES, CONTENTS, FILE_NAMES)
good_file = functools.partial(part, filename="a.png")
good_forms = st.builds(
    lambda probe, reference, more: [
        good_file("user_image", probe),
        good_file("ref_image", reference),
        *more,
    ],
    PICTURES,
    PICTURES,
    st.lists(fields, max_size=3),
)
any_forms = st.lists(fields | files, max_size=5)

TYPE = f"multipart/form-data; boundary={BOUNDARY}"
TYPES = st.sampled_from(
    [
        *(TYPE.replace("=", '="') + '"', TYPE.upper(), TYPE + "; charset=utf-8"),
        *("multipart/form-data", "multipart/form-data; boundary=", TYPE[:-1], "multipart/mixed"),
        *("application/json", "application/x-www-form-urlencoded", "image/png", "", None),
    ]
)
OTHER_PATHS = [MATCH[:-1], "/v3/face-mach/", "/v3/session/7/decision/", "/", "/v3/%00"]
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
    path = draw(st.sampled_from([MATCH] * 10 + [LIVENESS] * 8 + OTHER_PATHS))
    return {
        "method": draw(st.sampled_from(["POST"] * 12 + ["GET", "PUT", "HEAD", "OPTIONS"])),
        "path": path + draw(st.sampled_from(["", "", "", "?a=1&api_key=x"])),
        "headers": {name: value for name, value in headers.items() if value is not None},
        "body": body,
    }


def prepare(sent, url):
    """The request as requests would send it; the body is taken as it stands."""
    made = requests.Request(sent["method"], url + sent["path"], sent["headers"], data=sent["body"])
    return made.prepare()


def as_bytes(sent, url):
    """The request on the wire."""
    whole = prepared.request_of(prepare(sent, url))
    lines = [f"{whole.method} {whole.target} HTTP/1.1", *map(": ".join, whole.headers), "", ""]
    return "\r\n".join(lines).encode("latin-1") + whole.body


def shown(status, headers, body):
    """What has to be the same."""
    kept = sorted((name.lower(), text) for name, text in headers if name.lower() not in FRONTS)
    return status, kept, body


class Ways:
    """Three worlds that are alike, and a way into each."""

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
        with RawClient(self.port) as client:
            client.send(as_bytes(sent, self.url))
            answer = client.answer(to_head=sent["method"] == "HEAD")
        return shown(answer.status, answer.headers, answer.body)

    def by_adapter(self, sent):
        return self._by(self.mounted, sent)

    def by_responses(self, sent):
        with responses.RequestsMock() as rsps:
            register(rsps, self.worlds[2].engine, [self.url], now=lambda: START)
            return self._by(self.plain, sent)

    def _by(self, session, sent):
        answer = session.send(prepare(sent, self.url), allow_redirects=False, timeout=10)
        return shown(answer.status_code, answer.raw.headers.items(), answer.content)

    def state(self):
        """What the requests left behind, in each world."""
        return [
            (
                world.control.charges(),
                world.control.balance(),
                world.control.sessions(),
                world.control.journal(),
            )
            for world in self.worlds
        ]


@pytest.fixture(scope="module")
def ways():
    """Three worlds; each example begins them anew."""
    made = Ways()
    yield made
    made.close()


@st.composite
def examples(draw):
    """How the worlds are settled, and what they are asked."""
    settled = {
        "edition": draw(st.sampled_from(EDITIONS)),
        "switches": draw(st.sampled_from(SWITCHES)),
    }
    return {
        "settled": settled,
        "limit": draw(st.sampled_from([300, 300, 300, 1, 0, None])),
        "balance": draw(st.sampled_from([100, 100, 100, "0.05", 0])),
        "asked": draw(st.lists(requests_sent(), min_size=1, max_size=3)),
    }


def check(ways, example):
    ways.reset(**example["settled"])
    for world in ways.worlds:
        world.control.set_limit("write", example["limit"])
        world.control.set_balance(example["balance"])
    for sent in example["asked"]:
        expected = ways.by_socket(sent)
        event(f"status {expected[0]}")
        assert ways.by_adapter(sent) == expected
        assert ways.by_responses(sent) == expected
    first, *others = ways.state()
    assert all(other == first for other in others)


@given(example=examples())
@settings(max_examples=200)
def test_every_way_into_the_engine_gives_the_same_answer(ways, example):
    """Status, headers, bytes, and what is in ledger, sessions and journal afterwards."""
    check(ways, example)


@pytest.mark.long
@given(example=examples())
@settings(max_examples=2000)
def test_every_way_in_with_many_more_requests(ways, example):
    """The same with ten times as many."""
    check(ways, example)


def test_the_examples_reach_what_matters(ways):
    """The comparison compares something: a verdict, a refused form, and a refused key."""
    ways.reset(edition="2026-07", switches={})
    data = card_sheet()["p1"].data
    whole = form([good_file("user_image", data), good_file("ref_image", data)])
    headers = {"Content-Type": TYPE, "x-api-key": "mock-live-key"}
    statuses = []
    for change in ({}, {"body": whole[:200]}, {"headers": {**headers, "x-api-key": "wrong"}}):
        sent = {"method": "POST", "path": MATCH, "headers": headers, "body": whole, **change}
        answers = [ways.by_socket(sent), ways.by_adapter(sent), ways.by_responses(sent)]
        assert answers[1:] == answers[:1] * 2
        statuses.append(answers[0][0])
    assert statuses == [200, 400, 403]
