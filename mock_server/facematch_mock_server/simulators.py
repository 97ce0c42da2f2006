"""The mock in a vendor's place, for the contract tests: what all simulators share."""

from __future__ import annotations

import abc
import io
import json
import socket
import threading
from collections.abc import Callable, Container, Mapping
from typing import Any, ClassVar, Self

import attrs

from facematch_core import Image, InvalidImage, open_verifier
from facematch_core.backend import Backend
from facematch_core.testing import Situation, VendorDouble
from facematch_mock_server.app import App
from facematch_mock_server.control import Control
from facematch_mock_server.faults import Fault, Faults, Kind, Stage
from facematch_mock_server.http.forms import Form, read_form
from facematch_mock_server.http.server import HttpServer
from facematch_mock_server.messages import Head, Request, Response
from facematch_mock_server.recognition.outcomes import LivenessOutcome, MatchOutcome, Recognizer
from facematch_mock_server.recognition.sheet import card_sheet, make_card
from facematch_mock_server.server import MockServer

_HOST = "127.0.0.1"

#: Of the card of DEMOGRAPHICS: guesses that no other card has.
AGE, GENDER = 47, "female"

#: What happens on the line or at a gateway, whoever the vendor is.
_FAULTS = {
    Situation.LOST_ANSWER: Fault(stage=Stage.AFTER_UPLOAD, kind=Kind.TRUNCATE, executed=True),
    Situation.BROKEN_ANSWER: Fault(stage=Stage.MID_BODY, kind=Kind.TRUNCATE),
    Situation.GATEWAY_ERROR: Fault(stage=Stage.ANSWER, kind=Kind.HTML, status=502, executed=True),
    Situation.UNREADABLE_200: Fault(
        stage=Stage.ANSWER, kind=Kind.WRONG_JSON, status=200, executed=True
    ),
    Situation.SLOW: Fault(stage=Stage.AFTER_UPLOAD, kind=Kind.DELAY, seconds=3600),
}

#: The cards that situations are made of; for all others the probe is another picture of p1.
_SHEET = {
    Situation.DIFFERENT_PEOPLE: "p2",
    Situation.SPOOF: "spoof",
    Situation.NO_FACE: "no-face",
    Situation.TWO_FACES: "two-faces",
    Situation.TURNED: "turned-90",
}
_DRAWN: Mapping[Situation, Mapping[str, Any]] = {
    Situation.DEMOGRAPHICS: {"age": AGE, "gender": GENDER},
}


class MockDouble(VendorDouble):
    """A mock server in the place of a vendor.

    It decides by test cards and keeps its own ledger, as it does for any client. What no document
    of the vendor has, and a backend must be ready for all the same, it is made to answer: by a
    body of our own, or by altering one on its way.

    Attributes:
        vendor: Name of the backend and of the mock's vendor.
        calls: The paths of the calls.
        edition: Of the vendor's documents; None for the mock's default.
        switches: Of the mock.
        faults: What the vendor does in situations of its own, beside those of the line.
        control: What may be done to the world.
        situation, score: What it was prepared for; None before the first time.
    """

    vendor: ClassVar[str]
    calls: ClassVar[frozenset[str]]
    edition: ClassVar[str | None] = None
    switches: ClassVar[Mapping[str, Any]] = {}
    faults: ClassVar[Mapping[Situation, Fault]] = {}

    def __init__(self) -> None:
        # Nobody but the double moves this world.
        self._mock = MockServer(
            vendor=self.vendor, edition=self.edition, switches=self.switches, control=False
        )
        self._mock.world.recognizer = Upright(self._mock.world.recognizer)
        self.control: Control = self._mock.control
        self._between = Between(self._mock.app, calls=self.calls, alter=self.alter)
        self.situation: Situation | None = None
        self.score: float | None = None
        self._charged_before = 0
        self._place: socket.socket | None = None
        self._front: HttpServer | None = None
        self._port = 0

    @abc.abstractmethod
    def keys(self) -> Mapping[str, str]:
        """The settings that a backend signs in with."""

    @abc.abstractmethod
    def begin(self, situation: Situation, score: float | None) -> None:
        """Make the world do what `situation` says, whatever it did before."""

    def alter(self, path: str, body: Any) -> Any:
        """Another body of an answer 200, in the situation that is prepared."""
        return body

    def backend(self, **settings: Any) -> Backend:
        """The installed backend, by its name, with `settings` over its usual ones."""
        if not self._port:
            raise RuntimeError("The double is closed: use it in a with statement.")
        own = {**self.keys(), "base_url": f"http://{_HOST}:{self._port}"}
        return open_verifier(self.vendor, **own | settings).backend

    def prepare(self, situation: Situation, *, score: float | None = None) -> None:
        # Prepared for the same once more, the vendor still knows its records.
        if situation is not self.situation or score is not None:
            self.situation, self.score = situation, score
            self.begin(situation, score)
            fault = {**_FAULTS, **self.faults}.get(situation)
            if fault is not None:
                for path in sorted(self.calls):
                    self.control.add_fault(attrs.evolve(fault, path=path, times=None))
        self._listen(is_there=situation is not Situation.UNREACHABLE)

    def pictures(self) -> tuple[Image, Image]:
        return self.pictures_for(Situation.SAME_PERSON)

    def pictures_for(self, situation: Situation) -> tuple[Image, Image]:
        sheet = card_sheet()
        drawn = _DRAWN.get(situation)
        if drawn is None:
            probe = sheet[_SHEET.get(situation, "p1-again")].data
        else:
            probe = make_card("p1", **drawn)
        return Image.from_bytes(probe), Image.from_bytes(sheet["p1"].data)

    @property
    def requests_seen(self) -> int:
        return self._between.seen

    @property
    def charges(self) -> int:
        return self._charged_before + len(self.control.charges())

    @property
    def received(self) -> Mapping[str, Any]:
        sent = self._between.last
        return {} if sent is None else self.told(sent)

    @abc.abstractmethod
    def told(self, sent: Sent) -> Mapping[str, Any]:
        """What the vendor understood of a call."""

    def begin_again(self) -> None:
        """Forget whatever the world remembers; what was charged stays counted."""
        self._charged_before = self.charges
        self.control.reset()

    def __enter__(self) -> Self:
        self._listen(is_there=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._release()
        self._mock.stop()
        self._port = 0

    def _listen(self, *, is_there: bool) -> None:
        """Begin or cease to listen, always at the same port."""
        if is_there and self._front is None:
            self._release()
            now = self._mock.world.clock.now
            front = HttpServer(self._between, host=_HOST, port=self._port, now=now).start()
            self._front, self._port = front, front.port
            self._mock.state.address = front.url
        elif not is_there and self._front is not None:
            self._stop()
            # Bound and not listening: connections are refused, and nobody else gets the port.
            self._place = socket.socket()
            self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._place.bind((_HOST, self._port))

    def _stop(self) -> None:
        front, self._front = self._front, None
        if front is not None:
            front.stop()

    def _release(self) -> None:
        place, self._place = self._place, None
        if place is not None:
            place.close()


#: Makes another body of the decoded body of an answer 200; the first argument is the path.
Alter = Callable[[str, Any], Any]


@attrs.frozen(kw_only=True)
class Sent:
    """The last call as it arrived.

    Attributes:
        path: Whom it was for.
        content_type: Of its body.
        body: The bytes, pictures and all.
    """

    path: str
    content_type: str
    body: bytes = attrs.field(repr=False)

    @property
    def form(self) -> Form:
        """The body as a form; `FormError` if it is none."""
        return read_form(self.content_type, self.body, digest=None)


class Between:
    """An engine as its front sees it, with an ear on the line. Safe across threads.

    Args:
        engine: Who answers.
        calls: The paths of the calls that are counted.
        alter: Applied to the body of each answer 200 of the engine's own.

    Attributes:
        seen: How many calls have arrived, whatever became of them.
        last: The last one that arrived whole; None for none.
    """

    def __init__(self, engine: App, *, calls: Container[str], alter: Alter) -> None:
        self._engine = engine
        self._calls = calls
        self._alter = alter
        self._lock = threading.Lock()
        self.seen = 0
        self.last: Sent | None = None

    @property
    def faults(self) -> Faults:
        """The rules of the world."""
        return self._engine.faults

    def refuse_early(self, head: Head) -> Response | None:
        """As the engine. Asked once for each request, before any fault strikes it."""
        with self._lock:
            self.seen += head.path in self._calls
        return self._engine.refuse_early(head)

    def max_body_bytes(self, head: Head) -> int:
        """As the engine."""
        return self._engine.max_body_bytes(head)

    def too_large(self, head: Head) -> Response:
        """As the engine."""
        return self._engine.too_large(head)

    def latency_s(self, head: Head) -> float:
        """As the engine."""
        return self._engine.latency_s(head)

    def note(self, head: Head, what: str) -> None:
        """As the engine."""
        self._engine.note(head, what)

    def handle(self, request: Request) -> Response:
        """The engine's answer; an answer 200 in JSON is altered."""
        self._remember(request)
        response = self._engine.handle(request)
        if response.status != 200 or "json" not in (response.header("content-type") or ""):
            return response
        body = self._alter(request.path, response.json())
        return attrs.evolve(response, body=json.dumps(body).encode())

    def answer_of(self, fault: Fault, request: Request) -> Response:
        """As the engine."""
        self._remember(request)
        return self._engine.answer_of(fault, request)

    def _remember(self, request: Request) -> None:
        if request.path in self._calls:
            kind = request.header("content-type") or ""
            self.last = Sent(path=request.path, content_type=kind, body=request.body)


class Upright:
    """A decider that follows the EXIF orientation of pictures.

    The mock ignores it, because no vendor says whether it follows it; a contract that is about the
    client cannot be held if what arrives well is refused for that.

    Args:
        decider: Who decides; it does everything else, too.
    """

    def __init__(self, decider: Recognizer) -> None:
        self._decider = decider

    def match(
        self,
        probe: bytes,
        reference: bytes,
        *,
        rotate: bool,
        probe_digest: str | None = None,
        reference_digest: str | None = None,
    ) -> MatchOutcome:
        """As the decider; the digests are worked out anew."""
        return self._decider.match(upright(probe), upright(reference), rotate=rotate)

    def liveness(self, probe: bytes, *, rotate: bool, digest: str | None = None) -> LivenessOutcome:
        """As `match`."""
        return self._decider.liveness(upright(probe), rotate=rotate)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._decider, name)


def upright(picture: bytes) -> bytes:
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
