"""What is recorded of a call: its outcome, and the aspects of its replies."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import attrs

from facematch_core import FaceMatchError, Operation
from facematch_core.backend import SessionAccess, SessionReading
from facematch_core.backend.session_types import Deletion

#: `RecordedCall.lost` of a call that may have been charged, until it ends.
UNFINISHED = "started but not finished"
#: The attributes of a `RecordedCall` that are compared.
_COMPARED = (
    "requests",
    "decision",
    "warnings",
    "error",
    "boxes",
    "charge",
    "price",
    "state",
    "ways",
    "again",
    "kept",
)


@attrs.define
class RecordedReply:
    """A vendor's or a mock's reply to one HTTP request."""

    role: str  # "login", "balance", or "answer" to the call itself
    #: Text or sorted texts by aspect: ``status``, ``header allow``, ``shape faces[].box``.
    aspects: Mapping[str, Any]
    claims: Collection[str] = ()  # cited by the mock

    @property
    def status(self) -> int:
        return int(self.aspects["status"])

    @property
    def id_digests(self) -> set[str]:
        digests: set[str] = set()
        for aspect, texts in self.aspects.items():
            if aspect.startswith("id "):
                digests.update(texts)
        return digests

    def aspects_without_ids(self) -> dict[str, Any]:
        return {
            aspect: texts for aspect, texts in self.aspects.items() if not aspect.startswith("id ")
        }


@attrs.define(kw_only=True)
class RecordedCall:
    """A call and its outcome. An attribute is None if the outcome has no such value."""

    charged: str = "no"
    charges: int | None = 0
    environment: str = "not said"
    error: str | None = None  # the name of its class
    score: float | None = None
    threshold: float | None = None
    decision: str | None = None
    warnings: Collection[str] | None = None
    faces: int | None = None  # in the probe
    boxes: str | None = None
    model: str | None = None
    state: str | None = None  # of a session or a deletion; None if the call gave none
    ways: Collection[str] | None = None  # how a person opens the session: link, token, page
    again: str | None = None  # whether a second start returned the same session
    kept: str | None = None  # whether the vendor lists the calls of this run
    requests: int | None = None
    charge: bool | None = None  # whether the balance fell
    price: float | None = None  # the difference of the balance
    on: str | None = None  # date
    lost: str = ""  # why the call has no reply of the vendor itself; empty if it has
    replies: list[RecordedReply] = attrs.field(factory=list)

    def replies_of(self, role: str) -> list[RecordedReply]:
        return [reply for reply in self.replies if reply.role == role]

    @property
    def answers(self) -> list[RecordedReply]:
        """The replies to the call itself."""
        return self.replies_of("answer")

    @property
    def claims(self) -> Collection[str]:
        """The claims that the mock cited in its last answer."""
        answers = self.answers
        return answers[-1].claims if answers else ()

    @property
    def is_accepted(self) -> bool:
        """Whether the vendor answered the call itself with 2xx."""
        return any(200 <= reply.status < 300 for reply in self.answers)

    def has_warning(self, code: str) -> bool:
        return code in (self.warnings or ())

    def compared_aspects(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _COMPARED}

    def as_document(self) -> dict[str, Any]:
        """Return the call for the record: rounded, without ids."""
        left_out = attrs.filters.exclude(type(None), "lost", "replies")
        document = attrs.asdict(self, recurse=False, filter=left_out)
        for name in ("score", "threshold"):
            if name in document:
                document[name] = round(document[name])
        document["answers"] = [reply.aspects_without_ids() for reply in self.answers]
        return document

    def add_outcome(self, outcome: Any, request: Any) -> None:
        """Record the result, reading, deletion or error that a backend gave to a request."""
        self.charged = str(outcome.billing.charged)
        self.charges = outcome.billing.charges
        self.environment = str(outcome.environment or "not said")
        if isinstance(outcome, FaceMatchError):
            self.error = type(outcome).__name__
        elif isinstance(outcome, SessionReading | Deletion):
            access = getattr(outcome, "access", None) or SessionAccess()
            self.state = str(outcome.state)
            self.ways = [name for name in ("link", "token", "page") if getattr(access, name)]
        else:
            self._add_result(outcome, request)

    def _add_result(self, result: Any, request: Any) -> None:
        """Record the result of a comparison or a liveness check."""
        codes = {str(warning.code) for warning in result.warnings}
        self.decision = str(result.decision)
        # The backend derives this warning from the score alone.
        self.warnings = sorted(codes - {"scale_suspicious"})
        if result.score is not None:
            self.score = result.score.value
        self.faces = len(result.probe_faces or ())
        positions = _describe_boxes(result.probe_faces, request.probe)
        if request.operation is Operation.MATCH:
            positions |= _describe_boxes(result.reference_faces, request.reference)
        self.boxes = " and ".join(sorted(positions)) or None
        model = str(result.model)
        if result.model and re.fullmatch(r"[\w.-]{1,40}", model):
            self.model = model


@attrs.frozen(kw_only=True)
class CallPair:
    """One call to the vendor, and the same call to the mock."""

    name: str
    vendor_call: RecordedCall
    mock_call: RecordedCall


def _describe_boxes(faces: Iterable[Any] | None, picture: object) -> set[str]:
    return {_describe_box(face.box, picture) for face in faces or () if face.box is not None}


def _describe_box(box: Any, picture: object) -> str:
    """Return whether a face's box lies inside its picture and is about square."""
    # The size is None if neither the picture nor the vendor states it.
    width, height = getattr(picture, "upright_size", (box.of_width, box.of_height))
    box_width = box.right - box.left
    box_height = box.bottom - box.top
    right_edge = width or box.right
    bottom_edge = height or box.bottom
    if box.unit == "ratio":
        box_width *= width or 1
        box_height *= height or 1
        right_edge = bottom_edge = 1
    # A face may be cut off at the edge of the picture.
    if box.left >= right_edge or box.top >= bottom_edge or min(box.right, box.bottom) <= 0:
        return "outside"
    # The box is narrow if the vendor sent its width and height as the lower right corner.
    shorter_side, longer_side = sorted((box_width, box_height))
    return "inside" if shorter_side > 0 and longer_side < 3 * shorter_side else "narrow"
