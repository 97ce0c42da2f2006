"""`MockSimulator`: a mock that replaces the vendor in a plug-in's contract tests.

`MockSessions` simulates hosted sessions. Requires the extra ``testing``, as the contract does.
"""

from __future__ import annotations

import functools
import hmac
import io
import json
import operator
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from email.message import Message
from typing import Any, ClassVar, Self

import attrs

from facematch_core import Image, InvalidImage, open_verifier
from facematch_core.backend import Backend
from facematch_core.backend.session_types import DocumentHolder
from facematch_core.base.addresses import MOCK_HEADER
from facematch_core.models import Box
from facematch_core.testing import (
    SessionCase,
    SessionSimulator,
    SessionWebhook,
    SimulatorRequest,
    Situation,
    VendorSimulator,
)
from facematch_mock_server.base.messages import Request, Response
from facematch_mock_server.control import Control
from facematch_mock_server.http.server import HttpServer
from facematch_mock_server.recognition import layout
from facematch_mock_server.recognition.ready import READY
from facematch_mock_server.recognition.recognizer import CACHED, Facts, FactsCache
from facematch_mock_server.recognition.sheet import make_card
from facematch_mock_server.server import MockServer
from facematch_mock_server.world.clock import VirtualClock
from facematch_mock_server.world.faults import Fault, Kind, Stage

__all__ = ["MockSessions", "MockSessionsWithWebhooks", "MockSimulator"]

#: The card in front of the camera, by case; p1-again in all other cases.
_CARDS = {SessionCase.OTHER_PERSON: "p2", SessionCase.SPOOF: "spoof"}
#: Cases whose response must look like the real vendor's, so the mock's header is removed.
_REAL = frozenset({SessionCase.SANDBOX, SessionCase.UNKNOWN_ENVIRONMENT})


class MockSessions(SessionSimulator):
    """Simulates the hosted sessions of a `MockSimulator`.

    `Control.sessions` produces the cases that the mock supports. For the other cases, `changes`
    edits the mock's response.

    Attributes:
        control: The control of the mock vendor.
        id_name: The JSON key of the session id in responses about a session; see `id_in`.
        changes: Functions that edit the body of such a response in place, by case.
        document: The card that the person shows as the document; None if there is no document, or
            if the person's own card is it.
        start_sets_lifetime: Whether a field of a start says how long the session lasts.
    """

    id_name: ClassVar[str]
    changes: ClassVar[Mapping[SessionCase, Callable[[dict[str, Any]], Any]]] = {}
    document: ClassVar[str | None] = None
    start_sets_lifetime: ClassVar[bool] = True

    def __init__(self, control: Control) -> None:
        self.control = control
        self.cases = frozenset(SessionCase) - frozenset(self.cannot_happen)
        self._cases: dict[str, SessionCase] = {}
        self._words: dict[str, tuple[tuple[str | int, ...], Any]] = {}

    @property
    def clock(self) -> VirtualClock:  # type: ignore[override]  # read-only here
        return self.control.world.clock

    def play(self, session_id: str, case: SessionCase) -> None:
        if case is SessionCase.VANISHED:
            self.control.world.sessions.remove(session_id)
        elif case is SessionCase.TRY_AGAIN:
            self.control.sessions.fail_attempt(session_id)
        else:
            card = _CARDS.get(case, "p1-again")
            self.control.sessions.finish(session_id, card=card, document=self.document)
        self._cases[session_id] = case

    def say(
        self,
        session_id: str,
        place: tuple[str | int, ...],
        word: Any,
        case: SessionCase = SessionCase.PASSED,
    ) -> None:
        self.play(session_id, case)
        self._words[session_id] = place, word

    def session(self, session_id: str) -> Any:
        """Return the mock's record of a session."""
        return self.control.world.sessions.find(session_id)

    def lasts_s(self, session_id: str) -> float | None:
        if not self.start_sets_lifetime:
            return None
        session = self.session(session_id)
        lifetime: timedelta = session.hosted.expires_at - session.created_at
        return lifetime.total_seconds()

    def received(self, session_id: str) -> Mapping[str, Any]:
        session = self.session(session_id)
        received: dict[str, Any] = {"return_urls": (session.hosted.callback,)}
        if session.hosted.language is not None:
            received["language"] = session.hosted.language
        return received

    def id_in(self, body: dict[str, Any]) -> Any:
        """Return the id of the session that a response is about, to be edited; else None."""
        return body.get(self.id_name)

    def write(self, body: Any, place: tuple[str | int, ...], word: Any) -> None:
        """Write a value into a response."""
        *path, last = place
        functools.reduce(operator.getitem, path, body)[last] = word

    def alter(self, response: Response) -> Response:
        """Edit the mock's response as the session's case requires."""
        if not _has_json(response):
            return response
        body = response.json()
        session_id = str(self.id_in(body)) if isinstance(body, dict) else ""
        case = self._cases.get(session_id)
        if session_id in self._words:
            self.write(body, *self._words[session_id])
        elif case is not None and case in self.changes:
            self.changes[case](body)
        else:
            return response
        headers = [pair for pair in response.headers if pair[0] != MOCK_HEADER or case not in _REAL]
        return attrs.evolve(response, headers=tuple(headers), body=json.dumps(body).encode())


#: A closed port: no receiver is needed, since the kit hands deliveries over itself.
_NOBODY = "http://127.0.0.1:9/hook"


class MockSessionsWithWebhooks(MockSessions):
    """Simulates the hosted sessions of a vendor that sends webhooks, and reads documents.

    Attributes:
        webhook_secret: The secret that signs the webhooks.
        signature_header: The header with the hexadecimal HMAC of the body; None if there is none.
        signs_time: Whether a signature includes the time, so that an old one is refused.
    """

    webhook_secret: ClassVar[str]
    signature_header: ClassVar[str | None] = None
    signs_time: ClassVar[bool] = False

    def play(self, session_id: str, case: SessionCase) -> None:
        webhooks = self.control.webhooks
        if not webhooks.destinations():
            webhooks.add(_NOBODY, secret=self.webhook_secret)
        super().play(session_id, case)

    def deliver(self, session_id: str) -> tuple[bytes, Mapping[str, str]]:
        """Return the body and headers of the newest webhook about a session.

        It is signed now if the vendor signs the time.

        Raise LookupError if the mock has sent none.
        """
        webhooks = self.control.webhooks
        webhooks.wait()
        deliveries = webhooks.deliveries(session_id=session_id)
        if not deliveries:
            raise LookupError(
                "the mock sent no webhook about the session: with one event per status, set "
                "`default_events` of its `WebhookRules`"
            )
        delivery = deliveries[-1]
        if self.signs_time:
            webhooks.resend(delivery.id)
        letter = webhooks.delivery(delivery.id)
        return letter.body, letter.headers

    def sign(self, document: Any, *, names_session: bool = True, **headers: str) -> SessionWebhook:
        """Return a webhook that the mock does not send, signed as it signs.

        Override it for a signature that is not `signature_header` with the body's HMAC in hex.
        """
        body = json.dumps(document).encode()
        signature = hmac.digest(self.webhook_secret.encode(), body, "sha256").hex()
        return SessionWebhook(
            body=body,
            headers={str(self.signature_header): signature, **headers},
            names_session=names_session,
        )

    def show_document(self, session_id: str, holder: DocumentHolder) -> None:
        first_name, _, last_name = (holder.name or "").rpartition(" ")
        self.control.sessions.document(
            session_id,
            first_name=first_name,
            last_name=last_name,
            date_of_birth=holder.date_of_birth,
        )


_HOST = "127.0.0.1"

#: Width and height of the reference. They differ from the probe's, so that the faces' boxes differ.
_REFERENCE = (360, 480)


def _face_of(size: tuple[int, int]) -> Box:
    left, top, right, bottom = layout.FACES[1][0].box(size)
    width, height = size
    return Box(left=left, top=top, right=right, bottom=bottom, of_width=width, of_height=height)


#: Faults common to all vendors: connection faults, gateway errors and common statuses.
_FAULTS = {
    Situation.LOST_ANSWER: Fault(stage=Stage.AFTER_UPLOAD, kind=Kind.TRUNCATE, executed=True),
    Situation.BROKEN_ANSWER: Fault(stage=Stage.MID_BODY, kind=Kind.TRUNCATE),
    Situation.GATEWAY_ERROR: Fault(stage=Stage.ANSWER, kind=Kind.HTML, status=502, executed=True),
    Situation.UNREADABLE_200: Fault(
        stage=Stage.ANSWER, kind=Kind.WRONG_JSON, status=200, executed=True
    ),
    Situation.SLOW: Fault(stage=Stage.AFTER_UPLOAD, kind=Kind.DELAY, seconds=3600),
    # Uses the vendor's documented error for this status, if any.
    Situation.REJECTED: Fault(stage=Stage.ANSWER, kind=Kind.STATUS, status=400),
    Situation.OUTAGE: Fault(stage=Stage.ANSWER, kind=Kind.STATUS, status=500),
}

#: The ready card used as the probe, by situation; p1-again in all other situations.
_PROBES = {
    Situation.DIFFERENT_PEOPLE: "p2",
    Situation.SPOOF: "spoof",
    Situation.NO_FACE: "no-face",
    Situation.TWO_FACES: "two-faces",
    Situation.SMALLER_FACE_MATCHES: "two-faces",
}


class MockSimulator(VendorSimulator):
    """A mock server that replaces the vendor.

    The mock reads test cards and keeps a ledger, as it does for any client. `alter` makes responses
    that the mock cannot produce. All situations except `cannot_happen` can be set.

    Attributes:
        vendor: The name of the mock's vendor.
        backend_class: The backend under test; None for the installed one with the vendor's name.
        calls: The paths of the calls.
        last_calls: The paths of a call's last request, if it sends several; empty means `calls`.
        session_paths: The path prefixes of requests about hosted sessions.
        session_class: The class that simulates sessions; None if the vendor has none.
        pictures: ``probe`` and ``reference``, by form field.
        keys: The backend's settings for authentication. The first of `secrets` is the key; `client`
            is its client id.
        scope: The rate limit that rejects a call in THROTTLED; None if a fault rejects it.
        switches: Switches of the mock.
        faults: Faults that override the faults common to all vendors.
        control: The control of the mock vendor.
        situation, score: The arguments of the last `set_situation`; None before the first one.
        last: The last completely received call; None before the first one.
    """

    vendor: ClassVar[str]
    backend_class: ClassVar[type[Backend] | None] = None
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
    faces: Mapping[str, Sequence[Box]] = {
        "probe": (_face_of((layout.WIDTH, layout.HEIGHT)),),
        "reference": (_face_of(_REFERENCE),),
    }
    looks_at_pictures = True
    requests_seen = 0

    def __init_subclass__(cls, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        if "situations" not in vars(cls):
            cls.situations = frozenset(Situation) - frozenset(cls.cannot_happen)

    def __init__(self) -> None:
        """Make a mock whose requests are counted before a fault can apply to them."""
        self._mock = MockServer(
            vendor=self.vendor, switches=self.switches, control=False, clock=VirtualClock()
        )
        self._mock.accounts.recognizer.facts = _FACTS
        # Count each request before a fault can apply to it.
        app = self._mock.app
        self._begin, self._handle = app.begin, app.handle
        vars(app).update(begin=self.count, handle=self._serve)
        self.control: Control = self._mock.control
        self.control.reset()
        self.vendor_hosts = self.control.world.vendor.hosts
        if self.session_class is not None:
            self.sessions = self.session_class(self.control)
        self.situation: Situation | None = None
        self.score: float | None = None
        self.last: SimulatorRequest | None = None
        self._lock = threading.Lock()
        self._faults = {**_FAULTS, **self.faults}
        #: Number of requests since the last `set_situation`, and which of these requests fails.
        self._arrived = 0
        self._step: int | None = None
        self._charged_before = 0
        self._reserved: socket.socket | None = None
        self._server: HttpServer | None = None
        self._port = 0

    # Methods that a vendor's subclass may override

    def begin(self, situation: Situation, score: float | None) -> None:
        """Reset the mock and prepare `situation`."""
        self._charged_before = self.charges
        self.control.reset()
        # A server without keys has no secrets.
        if self.secrets and situation is not Situation.BAD_KEY:
            self.control.add_key(key=self.secrets[0], client=self.client)
        if situation is Situation.NO_CREDIT:
            self.control.set_balance(0)
        if situation is Situation.SMALLER_FACE_MATCHES:
            self.control.set_outcome("match", score=4, smaller_face_score=96, times=None)
        if self.scope is not None:
            # The clock is stopped, so no rate window ends. Only None allows any number of calls.
            self.control.set_limit(self.scope, 0 if situation is Situation.THROTTLED else None)

    def alter(self, request: SimulatorRequest, body: Any) -> Any:
        """Return the body to send, given the `body` of the mock's 200 response to `request`.

        A vendor that refuses in a 200 also gets its refusals here.
        """
        return body

    def accepts(self, request: SimulatorRequest) -> bool:
        """Return whether a request has what the vendor's documents ask for, and the mock does not.

        For example a header that pins the version. Any other request is refused.
        """
        return True

    def understand(self, request: SimulatorRequest) -> Mapping[str, Any]:
        """Return the values that the vendor reads from a call: by default, the form's pictures."""
        files = request.files
        return {name: files[field] for field, name in self.pictures.items() if field in files}

    def put_score(self, body: Any, *path: str | int, fraction: bool = False) -> None:
        """Write the situation's score into a response: 0-1 with `fraction`, else 0-100.

        `path` leads to it: ``put_score(body, "result", "faces", 0, "similarity")``.
        """
        # `control.set_outcome` would round the score.
        exact = Decimal(str(self.score or 0)) / (100 if fraction else 1)
        numbers = {
            Situation.SCORE: float(exact),
            Situation.NULL_SCORE: None,
            Situation.IMPOSSIBLE_SCORE: 2.5 if fraction else 250,
        }
        if self.situation in numbers:
            *outer, name = path
            for step in outer:
                body = body[step]
            body[name] = numbers[self.situation]

    # Methods that the kit calls

    def backend(self, **settings: Any) -> Backend:
        """Return the backend with `keys`, `settings` and the mock's address."""
        usual = {**self.keys, "base_url": self.url}
        if self.backend_class is not None:
            return self.backend_class(**usual | settings)
        backend: Backend = open_verifier(self.vendor, **usual | settings).backend
        return backend

    @property
    def url(self) -> str:
        """The mock's address. Raises RuntimeError while the simulator is closed."""
        if not self._port:
            raise RuntimeError("The simulator is closed: use it in a with statement.")
        return f"http://{_HOST}:{self._port}"

    def set_situation(
        self, situation: Situation, *, score: float | None = None, step: int | None = None
    ) -> None:
        """Answer from now on as in a situation.

        With `step`, only the request of that number meets it. The mock's records are kept if the
        situation stays, or a success follows a lost response: a retry must find what was done.
        """
        # Keep the mock's records if the situation is the same, or a success after a lost response.
        is_good = situation in (Situation.SAME_PERSON, Situation.LIVE)
        recovers = is_good and self.situation is Situation.LOST_ANSWER
        is_same = situation is self.situation and self._step is None
        keeps_records = (is_same or recovers) and score is step is None
        self.situation, self.score, self._step = situation, score, step
        self._arrived = 0
        if step is not None and step > 1:
            # `count` adds the fault when that request arrives.
            self.begin(Situation.SAME_PERSON, None)
        elif not keeps_records:
            self.begin(situation, score)
            self._add_fault(self.last_calls or self.calls if step is None else self.calls)
        elif recovers:
            self.control.clear_faults()
        self._listen(on=situation is not Situation.UNREACHABLE)

    def pictures_for(self, situation: Situation) -> tuple[Image, Image]:
        return _read_card(_PROBES.get(situation, "p1-again")), _draw(size=_REFERENCE)

    @property
    def charges(self) -> int:
        return self._charged_before + len(self.control.charges())

    @property
    def received(self) -> Mapping[str, Any]:
        return {} if self.last is None else self.understand(self.last)

    def __enter__(self) -> Self:
        self._listen(on=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._close()
        self._mock.stop()
        self._port = 0

    # Methods that replace methods of the app

    def count(self, head: Request) -> Response | None:
        """Count a request if it belongs to a call, before any fault applies to it.

        The request whose number is the `step` of `set_situation`, from the second on, meets the
        situation: as a fault of the mock if it is one, which keeps the mock's records; else the
        mock is prepared anew. Returns a response if the mock has one before it reads the body.
        """
        is_call = head.path in self.calls or head.path.startswith(self.session_paths)
        with self._lock:
            self.requests_seen += is_call
            self._arrived += is_call
            is_later_step = is_call and self._arrived == self._step and self._arrived > 1
            if is_later_step and self.situation is not None:
                if self.situation not in {*self._faults, Situation.DRIPPING}:
                    self.begin(self.situation, self.score)
                self._add_fault(self.calls)
        return self._begin(head)

    def answer(self, request: Request) -> Response:
        """Record a call for `received`, and return the mock's response, altered or made endless."""
        headers = Message()
        for name, value in request.headers:
            headers[name] = value
        seen = SimulatorRequest(
            method=request.method, path=request.target, headers=headers, body=bytes(request.body)
        )
        is_faulty = is_call = request.path in self.calls
        if is_call:
            self.last = seen
            is_last = request.path in (self.last_calls or self.calls)
            is_faulty = self._arrived == self._step if self._step else is_last
        if not self.accepts(seen):
            return Response(status=400, headers=(("Content-Type", "application/json"),), body=b"{}")
        response = self._handle(request)
        if any(claim.startswith("mock.fault.") for claim in response.claims):
            return response
        if self.sessions is not None:
            response = self.sessions.alter(response)
        if _has_json(response):
            body = json.dumps(self.alter(seen, response.json())).encode()
            response = attrs.evolve(response, body=body)
        if is_faulty and self.situation is Situation.DRIPPING:
            # The response never ends: one byte is sent every 0.1 seconds.
            return attrs.evolve(response, body=b" ", more=lambda: b" ")
        return response

    def _serve(self, request: Request) -> Response:
        try:
            return self.answer(request)
        except Exception as error:
            self.problem = error  # caused by the mock vendor or `alter`, not by the plug-in
            raise

    # Faults and the port

    def _add_fault(self, paths: frozenset[str]) -> None:
        fault = self._faults.get(self.situation or Situation.SAME_PERSON)
        if fault is not None:
            for path in sorted({*paths, *self.session_paths}):
                self.control.add_fault(attrs.evolve(fault, path=path, times=None))

    def _listen(self, *, on: bool) -> None:
        """Start or stop listening, always on the same port."""
        if on is (self._server is not None):
            return
        self._close()
        if on:
            self._server = HttpServer(self._mock.app, host=_HOST, port=self._port).start()
            self._port, self._mock.accounts.address = self._server.port, self._server.url
            return
        # A port that is bound but not listening refuses connections, and no other process gets it.
        self._reserved = socket.socket()
        # On Windows, SO_REUSEADDR would let another process take the port.
        if sys.platform != "win32":
            self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind((_HOST, self._port))

    def _close(self) -> None:
        if self._server is not None:
            self._server.stop()
        if self._reserved is not None:
            self._reserved.close()
        self._server = self._reserved = None


def _has_json(response: Response) -> bool:
    """Return whether a response is a 200 with a JSON body; that of a deletion may be empty."""
    is_json = "json" in (response.header("content-type") or "")
    return response.status == 200 and is_json and bool(response.body)


@functools.cache
def _draw(**changes: Any) -> Image:
    return Image.from_bytes(make_card("p1", **changes))


@functools.cache
def _read_card(name: str) -> Image:
    """Return the same object for each call: what is known of a picture is remembered in it."""
    return Image.from_bytes(READY[name].data)


class UprightFacts(FactsCache):
    """Apply the EXIF orientation, which the mock ignores, so that every client passes."""

    def of(self, data: bytes, digest: str | None = None) -> Facts:
        if digest is not None and self.find(digest) is not None:
            return super().of(data, digest)
        upright = turn_upright(data)
        return super().of(upright, digest if upright is data else None)


#: Of all simulators: reading a card takes longer than a call with it.
_FACTS = UprightFacts(limit=CACHED)


def turn_upright(picture: bytes) -> bytes:
    """Apply a picture's EXIF orientation. Upright pictures are returned unchanged."""
    try:
        image = Image.from_bytes(picture)
        if image.orientation == 1:
            return picture
        turned = io.BytesIO()
        image.to_pil().save(turned, "BMP")
    except InvalidImage:
        return picture
    return turned.getvalue()
