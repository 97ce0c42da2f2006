"""What the doubles of all vendors have in common: a mock at one port, and the faults of a line."""

from __future__ import annotations

import abc
import socket
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import attrs

from facematch_core import Image, open_verifier
from facematch_core.backend import Backend
from facematch_core.testing import Situation, VendorDouble
from facematch_mock_server.cards import card_sheet, make_card
from facematch_mock_server.control import Control
from facematch_mock_server.faults import Fault, Kind, Stage
from facematch_mock_server.fronts.server import HttpFront
from facematch_mock_server.server import MockServer

from ._between import Between, Sent
from ._upright import Upright

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
        self._mock.world.decider = Upright(self._mock.world.decider)
        self.control: Control = self._mock.control
        self._between = Between(self._mock.engine, calls=self.calls, alter=self.alter)
        self.situation: Situation | None = None
        self.score: float | None = None
        self._charged_before = 0
        self._place: socket.socket | None = None
        self._front: HttpFront | None = None
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
            front = HttpFront(self._between, host=_HOST, port=self._port, now=now).start()
            self._front, self._port = front, front.port
            self._mock.world.ground.address = front.url
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
