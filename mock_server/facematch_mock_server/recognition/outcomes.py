"""Outcomes of calls, from which responses are made, and outcomes set by a test."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, get_args

import attrs

from facematch_core import Image, InvalidImage
from facematch_mock_server.base.masking import show_rule
from facematch_mock_server.base.state import UNSET, RuleQueue, Unset, check_text

#: The vendor's certainty that a face is on the blocklist or belongs to another session.
Likeness = Literal["certain", "possible"]
_LIKENESSES = get_args(Likeness)

#: A function that returns the fields of a call, by name.
Fields = Callable[[], Mapping[str, str]]


@attrs.frozen(kw_only=True, cache_hash=True)
class SeenFace:
    """A face in a picture.

    Attributes:
        box: Left, top, right and bottom edge, in pixels of the upright picture.
        confidence: The detection confidence, 0-1.
        age: The age in years that the mock would estimate.
        gender: ``female`` or ``male``.
    """

    box: tuple[int, int, int, int]
    confidence: float = 0.72
    age: float = 34.0
    gender: str = "female"

    @property
    def probability(self) -> float:
        """The probability that this is a face, near 1, at vendors that give one for clear faces.

        OURS. Didit's `confidence` of a clear face is near 0.7.
        """
        return round(0.99 + self.confidence / 100, 6)


@attrs.frozen(kw_only=True, cache_hash=True)
class SeenPicture:
    """What the mock sees in a picture."""

    #: Whether the bytes can be decoded.
    decodes: bool = True
    #: The faces in the upright picture, largest first.
    faces: tuple[SeenFace, ...] = ()
    #: The degrees by which the picture was turned: 0, 90, 180 or 270.
    angle: int = 0


@attrs.define(kw_only=True)
class MatchOutcome:
    """What the mock sees in two pictures, and how alike the faces are."""

    probe: SeenPicture
    reference: SeenPicture
    #: The unrounded score, 0-100; None if no pair of faces could be scored.
    score: float | None
    #: The score of each further face of a picture, 0-100.
    smaller_face_score: float = 5.0
    review: bool = False
    #: ``control`` (a set outcome), ``card``, ``bytes``, or the name of the engine's backend.
    score_source: str = "bytes"


@attrs.frozen(kw_only=True)
class KnownSession:
    """An earlier session with a face: its id and number, and its service (None if hosted)."""

    session_id: str
    number: int
    service: str | None


@attrs.frozen(kw_only=True)
class LivenessOutcome:
    """The outcome of a liveness check, with the fields of `SetOutcome`."""

    probe: SeenPicture
    score: float | None
    attack: bool = False
    quality: float | None = None
    luminance: float | None = None
    blocklist: Likeness | None = None
    duplicate: Likeness | None = None
    #: The earlier session with this face; None if there is none, or if a test set `duplicate`.
    duplicate_of: KnownSession | None = None
    #: As in `MatchOutcome`.
    score_source: str = "bytes"

    def is_live(self, live_from: float) -> bool:
        """Return whether the person is live: no attack, and a score of `live_from` or more."""
        return not self.attack and (self.score or 0.0) >= live_from


#: The kinds of calls that have outcomes.
OutcomeKind = Literal["match", "liveness"]

_DIGEST = re.compile(r"[0-9a-f]{64}")


@attrs.frozen(kw_only=True)
class OutcomeField:
    """The definition of a `SetOutcome` field, for Python, the control API and the docs."""

    name: str
    #: The type: ``words``, ``number``, ``count`` (an integer), ``flag``, ``digest`` or ``fields``.
    value_type: str
    description: str
    #: The kind of outcome that has the field; None for both kinds.
    outcome_kind: OutcomeKind | None = None
    words: tuple[str, ...] = ()
    least: int = 0
    most: int | None = None
    #: The meaning of null (None); empty if it means unset.
    null: str = ""

    @property
    def values(self) -> str:
        """The allowed values in words, for help and errors."""
        count = f"a whole number from {self.least}"
        if self.most is not None:
            count = f"{count} to {self.most}"
        allowed = {
            "words": " or ".join(self.words),
            "number": f"a number between {self.least} and {self.most}",
            "count": count,
            "flag": "true or false",
            "digest": "64 hexadecimal digits (SHA-256)",
            "fields": "field names with their texts",
        }[self.value_type]
        return f"{allowed}, or null (None) for {self.null}" if self.null else allowed

    def check(self, value: Any, kind: OutcomeKind) -> None:
        """Raise ValueError if the value is invalid, or if outcomes of this kind lack the field."""
        # None is the default of every field but the kind, and means unset.
        if value is UNSET or (value is None and self.name != "kind"):
            return
        if self.outcome_kind not in (None, kind):
            raise ValueError(
                f"{self.name} is an outcome of {_A[self.outcome_kind]}, not of {_A[kind]}"
            )
        if not self._allows(value):
            listed = ", ".join(value) if self.value_type == "digest" else value
            raise ValueError(f"{self.name} of an outcome must be {self.values}, not {listed!r:.40}")

    def _allows(self, value: Any) -> bool:
        """Return whether a value fits the field's type, words and range; the value is not None."""
        if self.value_type == "words":
            return value in self.words
        if self.value_type == "flag":
            return type(value) is bool
        if self.value_type == "digest":
            return all(map(_DIGEST.fullmatch, value))
        if self.value_type == "fields":
            # The converter has already checked them.
            return True
        is_number = type(value) is int or (type(value) is float and self.value_type == "number")
        return is_number and self.least <= value and (self.most is None or value <= self.most)


_A = {"match": "a match", "liveness": "a liveness check"}


def _row(value_type: str, description: str, **options: Any) -> dict[str, Any]:
    return {"value_type": value_type, "description": description, **options}


def _as_digests(values: Any) -> frozenset[str]:
    """Return SHA-256 digests in lower case. Bytes are hashed with and without metadata."""
    digests = set()
    for value in values or ():
        if isinstance(value, bytes):
            digests.add(hashlib.sha256(value).hexdigest())
            with contextlib.suppress(InvalidImage):
                digests.add(Image.from_bytes(value).prepared().sent_digest)
        else:
            digests.add(str(value).lower())
    return frozenset(digests)


def as_field(value: object) -> dict[str, str] | None:
    """Return valid fields as a dict; None means any call. Raises ValueError for invalid fields."""
    if value is None:
        return None
    pairs = list(value.items()) if isinstance(value, Mapping) else []
    if not pairs or not all(name and type(name) is type(text) is str for name, text in pairs):
        raise ValueError(
            "field must be field names with the texts to be sent, such as "
            f'{{"vendor_data": "case-7"}}, or null (None) for any call, not {value!r:.40}'
        )
    check_text("field", pairs)
    return dict(pairs)


@attrs.frozen(kw_only=True, repr=False)
class SetOutcome:
    """An outcome that a test set. The mock decides all unset values itself.

    Raises ValueError for invalid or contradictory values.
    """

    # fmt: off
    kind: OutcomeKind = attrs.field(
        metadata=_row("words", "The kind of call.", words=get_args(OutcomeKind)))
    score: float | Unset | None = attrs.field(default=UNSET,
        metadata=_row("number", "The unrounded score.", most=100, null="no score"))
    smaller_face_score: float | None = attrs.field(default=None,
        metadata=_row("number", "Score of the smaller faces, at vendors that score each face.",
            outcome_kind="match", most=100))
    review: bool | None = attrs.field(default=None,
        metadata=_row("flag", "Whether a review is needed.", outcome_kind="match"))
    faces: int | None = attrs.field(default=None,
        metadata=_row("count", "Number of faces.", outcome_kind="liveness", most=10))
    attack: bool | None = attrs.field(default=None,
        metadata=_row("flag", "Whether an attack is recognised.", outcome_kind="liveness"))
    quality: float | None = attrs.field(default=None,
        metadata=_row("number", "The quality of the face.", outcome_kind="liveness", most=100))
    luminance: float | None = attrs.field(default=None,
        metadata=_row("number", "Brightness of the face.", outcome_kind="liveness", most=100))
    blocklist: Likeness | None = attrs.field(default=None,
        metadata=_row("words", "Face is on the blocklist.",
            outcome_kind="liveness", words=_LIKENESSES))
    duplicate: Likeness | None = attrs.field(default=None,
        metadata=_row("words", "Face of another session.",
            outcome_kind="liveness", words=_LIKENESSES))
    times: int | None = attrs.field(default=1,
        metadata=_row("count", "Number of calls.", least=1, null="every call"))
    # Dicts are not hashable.
    field: Mapping[str, str] | None = attrs.field(default=None, converter=as_field, hash=False,
        metadata=_row("fields", "Only calls with these fields."))
    digests: frozenset[str] = attrs.field(default=frozenset(), converter=_as_digests,
        metadata=_row("digest", "Only calls with this picture (SHA-256).", name="digest"))
    # fmt: on

    __repr__ = show_rule

    def __attrs_post_init__(self) -> None:
        for name, row in OUTCOME_FIELDS.items():
            row.check(getattr(self, name), self.kind)
        if self.faces == 0 and self.needs_a_face:
            raise ValueError(f"without a face there can be no score, {', '.join(FACE_FIELDS)}")

    def fits(self, kind: str, digests: Iterable[str], fields: Fields) -> bool:
        """Return whether the outcome applies to a call with these pictures and fields."""
        if kind != self.kind:
            return False
        if self.digests and self.digests.isdisjoint(digests):
            return False
        return self.field is None or self.field.items() <= fields().items()

    @property
    def needs_a_face(self) -> bool:
        """Whether the outcome sets a value that requires a face."""
        values = (self.score, *(getattr(self, name) for name in FACE_FIELDS))
        return any(value not in (None, UNSET) and value is not False for value in values)


#: The fields of an outcome, by attribute name.
OUTCOME_FIELDS: Mapping[str, OutcomeField] = {
    field.name: OutcomeField(**{"name": field.name, **field.metadata})
    for field in attrs.fields(SetOutcome)
}
#: The fields about the face in a liveness check.
FACE_FIELDS = tuple(
    name
    for name, row in OUTCOME_FIELDS.items()
    if row.outcome_kind == "liveness" and name != "faces"
)


class OutcomeQueue(RuleQueue[SetOutcome]):
    """The pending outcomes, in the order in which they were added."""

    def use_next(
        self, kind: OutcomeKind, digests: Sequence[str], fields: Fields
    ) -> SetOutcome | None:
        """Return the outcome that applies to a call, and count its use; None if none applies."""
        # Outcomes for fields take precedence over outcomes for a picture, which take precedence
        # over outcomes for any call. Among equals, the oldest is used.
        with self._lock:
            best_index = None
            best_rank = (False, False)
            for index, outcome in enumerate(self._rules):
                if not outcome.fits(kind, digests, fields):
                    continue
                rank = (outcome.field is not None, bool(outcome.digests))
                if best_index is None or rank > best_rank:
                    best_index = index
                    best_rank = rank
            return None if best_index is None else self._use(best_index)
