"""What all simulators of mock vendors share."""

from __future__ import annotations

import functools
import io
import json
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from decimal import Decimal
from email.message import Message
from typing import Any, ClassVar, Self, cast

import attrs

from facematch_core import Box, Image, InvalidImage, open_verifier
from facematch_core.backend import Backend
from facematch_core.testing import SimulatorReply, SimulatorRequest, Situation, VendorSimulator
from facematch_mock_server.base.messages import Request, Response
from facematch_mock_server.conformance.sessions import MockSessions
from facematch_mock_server.control import Control
from facematch_mock_server.http.app import App
from facematch_mock_server.http.exchange import Handler
from facematch_mock_server.http.server import HttpServer
from facematch_mock_server.recognition import cards
from facematch_mock_server.recognition.outcomes import LivenessOutcome, MatchOutcome, SeenPicture
from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.recognition.sheet import card_sheet, make_card
from facematch_mock_server.server import MockServer
from facematch_mock_server.world.faults import Fault, Kind, Stage

_HOST = "127.0.0.1"

#: Of the card of DEMOGRAPHICS: no other card has these.
AGE, GENDER = 47, "female"

#: Width and height of the reference: smaller than the probe, so that its face is elsewhere.
_REFERENCE = (360, 480)


def _face_of(size: tuple[int, int]) -> Box:
    left, top, right, bottom = cards.FACES[1][0].box(size)
    width, height = size
    return Box(left=left, top=top, right=right, bottom=bottom, of_width=width, of_height=height)


#: Where the faces of SAME_PERSON and LIVE are, for a vendor that says it.
FACES: Mapping[str, Sequence[Box]] = {
    "probe": (_face_of((cards.WIDTH, cards.HEIGHT)),),
    "reference": (_face_of(_REFERENCE),),
}

#: What happens whoever the vendor is: on the line, at a gateway, or by a usual status.
_FAULTS = {
    Situation.LOST_ANSWER: Fault(stage=Stage.AFTER_UPLOAD, kind=Kind.TRUNCATE, executed=True),
    Situation.BROKEN_ANSWER: Fault(stage=Stage.MID_BODY, kind=Kind.TRUNCATE),
    Situation.GATEWAY_ERROR: Fault(stage=Stage.ANSWER, kind=Kind.HTML, status=502, executed=True),
    Situation.UNREADABLE_200: Fault(
        stage=Stage.ANSWER, kind=Kind.WRONG_JSON, status=200, executed=True
    ),
    Situation.SLOW: Fault(stage=Stage.AFTER_UPLOAD, kind=Kind.DELAY, seconds=3600),
    # In the vendor's words, where it has some for these.
    Situation.REJECTED: Fault(stage=Stage.ANSWER, kind=Kind.STATUS, status=400),
    Situation.OUTAGE: Fault(stage=Stage.ANSWER, kind=Kind.STATUS, status=500),
}

#: Answers that have no end: how many bytes of it follow at a time, ten times a second.
_ENDLESS = {Situation.DRIPPING: 1, Situation.ENDLESS: 256 * 1024}

#: The probe of a situation: a ready card, or the one of DEMOGRAPHICS; for all others p1-again.
_PROBES = {
    Situation.DEMOGRAPHICS: None,
    Situation.DIFFERENT_PEOPLE: "p2",
    Situation.SPOOF: "spoof",
    Situation.NO_FACE: "no-face",
    Situation.TWO_FACES: "two-faces",
    Situation.TURNED: "turned-90",
}


class MockSimulator(VendorSimulator):
    """A mock server in the place of a vendor.

    It decides by test cards and keeps its own ledger, as it does for any client. What no document
    of the vendor has, and a backend must be ready for all the same, is a body of our own, or one
    that is altered on its way. It can produce every situation that is not in `cannot_happen`.

    Attributes:
        vendor: Name of the backend and of the mock's vendor.
        calls: The paths of the calls.
        last_calls: Those of the last request of a call, where one is several; empty for `calls`.
        session_paths: What the paths of requests about hosted sessions begin with.
        session_class: Who plays them; None if there are none.
        pictures: The names of the pictures, by the field of a call's form.
        keys: The settings that a backend signs in with; the first of `secrets` is the key, and
            `client` whose it is.
        scope: The rate limit that refuses a call in THROTTLED; None where a fault does.
        switches: Of the mock.
        faults: What the vendor does otherwise, or in further situations.
        control: What may be done to the world.
        situation, score: What was set; None before the first time.
        last: The last call that arrived whole; None for none.
    """

    vendor: ClassVar[str]
    calls: ClassVar[frozenset[str]]
    last_calls: ClassVar[frozenset[str]] = frozenset()
    session_paths: ClassVar[tuple[str, ...]] = ()
    session_class: ClassVar[type[MockSessions] | None] = None
    sessions: MockSessions | None = None
    pictures: ClassVar[Mapping[str, str]] = {}
    keys: ClassVar[Mapping[str, Any]]
    client: ClassVar[str | None] = None
    scope: ClassVar[str | None] = None
    switches: ClassVar[Mapping[str, Any]] = {}
    faults: ClassVar[Mapping[Situation, Fault]] = {}
    faces = FACES
    takes_replies = looks_at_pictures = True
    last_reply: SimulatorReply | None = None
    requests_seen = 0

    def __init_subclass__(cls, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        at_once = "The vendor answers a request with its result, and has no jobs."
        cls.cannot_happen = {Situation.NEVER_DONE: at_once, **cls.cannot_happen}
        if "situations" not in vars(cls):
            cls.situations = frozenset(Situation) - frozenset(cls.cannot_happen)

    def __init__(self) -> None:
        # Nobody but the simulator moves this world.
        self._mock = MockServer(vendor=self.vendor, switches=self.switches, control=False)
        self._mock.accounts.recognizer = UprightRecognizer()
        self.control: Control = self._mock.control
        self.control.reset()
        if self.session_class is not None:
            self.sessions = self.session_class(self.control)
        self.situation: Situation | None = None
        self.score: float | None = None
        self.last: SimulatorRequest | None = None
        self._lock = threading.Lock()
        #: How many calls have arrived since the situation was set, and which of them is struck.
        self._arrived = 0
        self._step: int | None = None
        self._reply: SimulatorReply | None = None
        self._charged_before = 0
        self._reserved: socket.socket | None = None
        self._server: HttpServer | None = None
        self._port = 0

    def begin(self, situation: Situation, score: float | None) -> None:
        """Make the world do what `situation` says, whatever it did before: here it begins anew."""
        self._charged_before = self.charges
        self.control.reset()
        if situation is not Situation.BAD_KEY:
            self.control.add_key(key=self.secrets[0], client=self.client)
        if situation is Situation.NO_CREDIT:
            self.control.set_balance(0)
        if self.scope is not None:
            # A rule calls as often as it likes, and the clock stands still.
            self.control.set_limit(self.scope, 0 if situation is Situation.THROTTLED else None)

    def alter(self, path: str, body: Any) -> Any:
        """Another body of an answer 200, in the situation that is prepared."""
        return body

    def put_score(self, holder: dict[str, Any], name: str, *, fraction: bool = False) -> None:
        """Put the number of a situation about scores into an answer; a fraction is from 0 to 1."""
        # With all its digits, where the mock may round.
        exact = Decimal(str(self.score or 0)) / (100 if fraction else 1)
        numbers = {
            Situation.SCORE: float(exact),
            Situation.NULL_SCORE: None,
            Situation.IMPOSSIBLE_SCORE: 2.5 if fraction else 250,
        }
        if self.situation in numbers:
            holder[name] = numbers[self.situation]

    def backend(self, **settings: Any) -> Backend:
        """The installed backend, by its name, with `settings` over its usual ones."""
        if not self._port:
            raise RuntimeError("The simulator is closed: use it in a with statement.")
        usual = {**self.keys, "base_url": f"http://{_HOST}:{self._port}"}
        backend: Backend = open_verifier(self.vendor, **usual | settings).backend
        return backend

    def set_situation(
        self, situation: Situation, *, score: float | None = None, step: int | None = None
    ) -> None:
        # Set to the same once more, or well again after a lost answer, it still knows its records.
        well = (Situation.SAME_PERSON, Situation.LIVE)
        recovers = self.situation is Situation.LOST_ANSWER and situation in well
        is_same = situation is self.situation or recovers
        is_repeated = is_same and (score, self._step or step) == (None, None)
        self.situation, self.score, self._step, self._reply = situation, score, step, None
        self._arrived = 0
        if step is not None and step > 1:
            # Until then it is as if nothing were wrong.
            self.begin(Situation.SAME_PERSON, None)
        elif not is_repeated:
            self.begin(situation, score)
            self._strike(self.last_calls or self.calls if step is None else self.calls)
        elif recovers:
            self.control.clear_faults()
        self._listen(is_there=situation is not Situation.UNREACHABLE)

    def set_reply(self, reply: SimulatorReply, *, step: int | None = None) -> None:
        self.set_situation(Situation.SAME_PERSON)
        self._reply, self._step = reply, step

    def count(self) -> None:
        """A request of a call is there, before any fault strikes it."""
        with self._lock:
            self.requests_seen += 1
            self._arrived += 1
            situation = self.situation
            if (
                situation is None
                or self._reply is not None
                or self._arrived != self._step
                or self._arrived == 1
            ):
                return
            if situation not in {*_FAULTS, *self.faults, *_ENDLESS}:
                self.begin(situation, self.score)
            self._strike(self.calls)

    def _strike(self, paths: frozenset[str]) -> None:
        fault = {**_FAULTS, **self.faults}.get(self.situation or Situation.SAME_PERSON)
        if fault is not None:
            for path in sorted({*paths, *self.session_paths}):
                self.control.add_fault(attrs.evolve(fault, path=path, times=None))

    def remember(self, request: Request) -> None:
        headers = Message()
        for name, value in request.headers:
            headers[name] = value
        self.last = SimulatorRequest(
            method=request.method, path=request.target, headers=headers, body=bytes(request.body)
        )
        if self.overheard is not None:
            self.overheard.append(self.last)

    def replace_answer(self, path: str, response: Response) -> Response:
        """What is sent instead of the world's own answer to a call."""
        is_struck = path in (self.last_calls or self.calls)
        if self._step:
            is_struck = self._arrived == self._step
        if is_struck and self._reply is not None:
            headers = {"Content-Type": "application/json", **self._reply.headers}
            return Response(
                status=self._reply.status, headers=(*headers.items(),), body=self._reply.content
            )
        response = self.alter_body(path, response)
        piece = b" " * _ENDLESS.get(self.situation or Situation.SAME_PERSON, 0)
        if is_struck and piece:
            return attrs.evolve(response, body=b" ", more=lambda: piece)
        return response

    def alter_body(self, path: str, response: Response) -> Response:
        """An answer 200 in JSON with the body that `alter` makes of it."""
        if self.sessions is not None:
            response = self.sessions.alter(response)
        if response.status != 200 or "json" not in (response.header("content-type") or ""):
            return response
        return attrs.evolve(response, body=json.dumps(self.alter(path, response.json())).encode())

    def pictures_for(self, situation: Situation) -> tuple[Image, Image]:
        probe = _draw(_PROBES.get(situation, "p1-again"), age=AGE, gender=GENDER)
        return probe, _draw(None, size=_REFERENCE)

    @property
    def charges(self) -> int:
        return self._charged_before + len(self.control.charges())

    @property
    def received(self) -> Mapping[str, Any]:
        return {} if self.last is None else self.understand(self.last)

    def understand(self, request: SimulatorRequest) -> Mapping[str, Any]:
        """What the vendor understood of a call; here the pictures of its form."""
        files = request.files
        return {name: files[field] for field, name in self.pictures.items() if field in files}

    def __enter__(self) -> Self:
        self._listen(is_there=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_listening()
        self._mock.stop()
        self._port = 0

    def _listen(self, *, is_there: bool) -> None:
        """Begin or cease to listen, always at the same port."""
        if is_there is (self._server is not None):
            return
        self._stop_listening()
        if is_there:
            handler = cast("Handler", ObservedApp(self._mock.app, self))
            self._server = HttpServer(handler, host=_HOST, port=self._port).start()
            self._port, self._mock.accounts.address = self._server.port, self._server.url
            return
        # Bound and not listening: connections are refused, and nobody else gets the port.
        self._reserved = socket.socket()
        # On Windows that would let another process take the port.
        if sys.platform != "win32":
            self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind((_HOST, self._port))

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.stop()
        if self._reserved is not None:
            self._reserved.close()
        self._server = self._reserved = None


@functools.cache
def _draw(name: str | None, **changes: Any) -> Image:
    """Drawn once: a contract takes the same few pictures a thousand times."""
    card = card_sheet()[name].data if name else make_card("p1", **changes)
    return Image.from_bytes(card)


class ObservedApp:
    """An app as its HTTP server sees it; a simulator hears and alters its calls. Thread-safe."""

    def __init__(self, app: App, simulator: MockSimulator) -> None:
        self._app = app
        self._simulator = simulator

    def __getattr__(self, name: str) -> Any:
        return getattr(self._app, name)

    def begin(self, head: Request) -> Response | None:
        # Called once for each request, before any fault strikes it.
        simulator = self._simulator
        if head.path in simulator.calls or head.path.startswith(simulator.session_paths):
            simulator.count()
        return self._app.begin(head)

    def handle(self, request: Request) -> Response:
        simulator, is_call = self._simulator, request.path in self._simulator.calls
        if is_call:
            simulator.remember(request)
        response = self._app.handle(request)
        if any(claim.startswith("mock.fault.") for claim in response.claims):
            return response
        if not is_call:
            return simulator.alter_body(request.path, response)
        response = simulator.replace_answer(request.path, response)
        simulator.last_reply = SimulatorReply(
            status=response.status,
            body=response.body,
            headers={"Content-Type": response.header("content-type") or ""},
        )
        return response


class UprightRecognizer(Recognizer):
    """Follows the EXIF orientation, which the mock ignores: a contract is about the client."""

    needs_bytes = True

    # Digests are those of what was sent: each is worked out anew.
    def match(self, probe: bytes, reference: bytes, *, rotate: bool, **_: object) -> MatchOutcome:
        return super().match(turn_upright(probe), turn_upright(reference), rotate=rotate)

    def liveness(self, probe: bytes, *, rotate: bool, **_: object) -> LivenessOutcome:
        return super().liveness(turn_upright(probe), rotate=rotate)

    def look(self, picture: bytes, *, rotate: bool, **_: object) -> SeenPicture:
        return super().look(turn_upright(picture), rotate=rotate)


def turn_upright(picture: bytes) -> bytes:
    """The same picture, turned as its EXIF orientation says; as it is if it needs no turn."""
    try:
        image = Image.from_bytes(picture)
        if image.orientation == 1:
            return picture
        turned = io.BytesIO()
        image.to_pil().save(turned, "PNG")
    except InvalidImage:
        return picture
    return turned.getvalue()
