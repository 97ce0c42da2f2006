"""What the mock costs within a process; used by ``mock_server.py``."""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any

import requests
import responses
from _mock_client import Pair, form

from facematch_core import Image
from facematch_mock_server import MockServer, make_card, read_card
from facematch_mock_server.base.forms import read_form
from facematch_mock_server.base.messages import Request
from facematch_mock_server.http import in_responses
from facematch_mock_server.http.app import App
from facematch_mock_server.recognition.outcomes import MatchOutcome, SeenFace, SeenPicture
from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.vendors import vendor_named
from facematch_mock_server.world.accounts import Accounts, World

BASE = "https://verification.didit.me"
PATH = "/v3/face-match/"
KEY = {"x-api-key": "mock-live-key"}


class SameForAll(Recognizer):
    """A recognizer that looks at nothing."""

    picture = SeenPicture(faces=(SeenFace(box=(40, 40, 120, 120)),))
    outcome = MatchOutcome(probe=picture, reference=picture, score=12.0)

    def card_in(self, picture: bytes, digest: str | None = None) -> None:
        return None

    def match(self, probe: bytes, reference: bytes, *, rotate: bool, **_: object) -> MatchOutcome:
        return self.outcome


def app_of(recognizer: Any = None) -> App:
    """What answers as Didit, without a server."""
    return App(Accounts([vendor_named("didit")], recognizer))


def lasting(world: World) -> None:
    """Credit and a rate limit that last."""
    world.ledger.balance = 10**9
    world.rates.set_limit("write", 10**9)


def medians(
    calls: dict[str, Callable[[Any], Any]], items: Iterable[Any], rounds: int
) -> dict[str, float]:
    """Seconds of each call, the median over all items and rounds; they take turns on each item."""
    items, names = list(items), list(calls)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        for at, item in enumerate(items):
            first = (turn + at) % len(names)
            for name in names[first:] + names[:first]:
                start = time.perf_counter()
                calls[name](item)
                taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in taken.items()}


def starts(rounds: int) -> dict[str, float]:
    """Seconds of a start and of a stop within a test, and of the very first start."""
    begun, ended = [], []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        server = MockServer().start()
        begun.append(time.perf_counter() - start)
        with requests.Session() as session:  # a test leaves connections behind
            session.get(server.url + PATH, headers=KEY)
            start = time.perf_counter()
            server.stop()
            ended.append(time.perf_counter() - start)
    return {
        "the first start": begun[0],
        "start": statistics.median(begun[1:]),
        "stop": statistics.median(ended[1:]),
    }


def ways(pairs: list[Pair], rounds: int, other_port: int) -> dict[str, float]:
    """Seconds of one call by requests: over sockets, by the adapter, through `responses`.

    Args:
        pairs: What is sent.
        rounds: How often.
        other_port: Of a mock in another process.
    """
    with MockServer() as server:
        lasting(server.world)
        mounted = requests.Session()
        mounted.mount(BASE, server.adapter())

        def call_by(session: requests.Session, base: str) -> Callable[[Pair], None]:
            def ask(pair: Pair) -> None:
                files = {"user_image": ("a.jpg", pair[0]), "ref_image": ("b.jpg", pair[1])}
                session.post(base + PATH, headers=KEY, files=files).raise_for_status()

            return ask

        calls = {
            "socket, server in this process": call_by(requests.Session(), server.url),
            "socket, server in another one": call_by(
                requests.Session(), f"http://127.0.0.1:{other_port}"
            ),
            "adapter": call_by(mounted, BASE),
        }
        for pair in pairs:  # warm: every picture was seen
            for call in calls.values():
                call(pair)
        results = medians(calls, pairs, rounds)

        ask = call_by(requests.Session(), BASE)
        taken = []
        with responses.RequestsMock() as mock:
            in_responses.register(mock, server.app, [BASE])
            for pair in pairs * rounds:
                start = time.perf_counter()
                ask(pair)
                taken.append(time.perf_counter() - start)
        return results | {"responses": statistics.median(taken)}


def answer_to(pair: Pair) -> str:
    """The JSON that the mock answers; the static servers give the same."""
    response = app_of().handle(request_of(pair))
    if response.status != 200:
        raise RuntimeError(f"the mock refuses the request of the benchmark: {response.body!r}")
    return response.body.decode()


def request_of(pair: Pair) -> Request:
    """A face match as a transport hands it in."""
    kind, body = form(pair)
    headers = {"host": "127.0.0.1", **KEY, "content-type": kind, "content-length": str(len(body))}
    return Request(method="POST", target=PATH, headers=headers.items(), body=body)


def app(pairs: list[Pair], rounds: int) -> dict[str, float]:
    """Seconds of `App.handle` and of its parts, for two pictures."""
    bare, full, unseen = app_of(SameForAll()), app_of(), app_of()
    bare.world.digest = lambda body, start, end: ("0" * 64, bytes(body[start:end]))
    for engine in (bare, full, unseen):
        lasting(engine.world)
    sent = [(pair, request_of(pair)) for pair in pairs]
    for _, request in sent:  # warm: every picture was seen
        full.handle(request)
    card = make_card("p1")
    kind = form(pairs[0])[0]
    results = medians(
        {
            "app without digest and decoding": lambda item: bare.handle(item[1]),
            "  of that: taking the form apart": lambda item: read_form(
                kind, item[1].body, digest=None
            ),
            "app with everything, warm": lambda item: full.handle(item[1]),
            "digest of two pictures": lambda item: [
                hashlib.sha256(picture).digest() for picture in item[0]
            ],
        },
        sent,
        rounds,
    )
    return results | medians(
        {
            "app with everything, cold": lambda item: unseen.handle(item[1]),
            "decoding: size of two pictures": lambda item: [Image.from_bytes(p) for p in item[0]],
            "card look-up in two JPEGs": lambda item: [read_card(picture) for picture in item[0]],
            "card look-up in two cards (PNG)": lambda _: [read_card(card), read_card(card)],
        },
        sent,
        1,
    )
