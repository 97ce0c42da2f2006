"""Three servers that are alike and a way into each: socket, adapter, `responses`; and bodies."""

import datetime as dt
import functools

import requests
import responses
from hypothesis import strategies as st
from kit.rawclient import RawClient, chunked

from facematch_mock_server import MockServer, VirtualClock, card_sheet
from facematch_mock_server.http import client as prepared
from facematch_mock_server.http.in_responses import register

START = dt.datetime(2026, 7, 2, 9, 15, 27, 104233, tzinfo=dt.UTC)
BOUNDARY = "6f1d2c3b4a59e8f70d1c2b3a49586776"
#: Headers that belong to the connection, not to the answer.
FRONTS = {"date", "server", "connection", "keep-alive", "transfer-encoding", "content-length"}
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
    lines = b"".join(b"--%b\r\n%b\r\n" % (BOUNDARY.encode(), one) for one in parts)
    return lines + f"--{BOUNDARY}--\r\n".encode()


good_file = functools.partial(part, filename="a.png")


def prepare(sent, url):
    """The request as requests would send it; a body in pieces goes out in chunks."""
    data = iter(sent["pieces"]) if sent.get("pieces") is not None else sent["body"]
    made = requests.Request(
        sent["method"], url + sent["path"], sent["headers"], data=data, params=sent.get("params")
    )
    with requests.Session() as session:
        return session.prepare_request(made)


def as_bytes(sent, url):
    """The same on the wire, written by hand."""
    whole = prepared.request_of(prepare(sent, url))
    lines = [f"{whole.method} {whole.target} HTTP/1.1", *map(": ".join, whole.headers), "", ""]
    body = whole.body
    if whole.header("transfer-encoding") == "chunked":
        body = chunked(*(sent["pieces"] or [body]))
    return "\r\n".join(lines).encode("latin-1") + body


def shown(status, headers, body, fronts=FRONTS):
    kept = sorted((name.lower(), text) for name, text in headers if name.lower() not in fronts)
    return status, kept, body


def on_the_wire(sent, url, port, fronts=FRONTS):
    with RawClient(port) as client:
        client.send(as_bytes(sent, url))
        answer = client.answer(to_head=sent["method"].upper() == "HEAD")
    return shown(answer.status, answer.headers, answer.body, fronts)


def by_requests(session, sent, url, fronts=FRONTS):
    answer = session.send(prepare(sent, url), allow_redirects=False, timeout=10)
    return shown(answer.status_code, answer.raw.headers.items(), answer.content, fronts)


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
