"""The recognizer: decides by set outcomes, test cards, an engine, or the bytes."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import threading
from typing import Any, Literal, get_args

import attrs

from facematch_core import Image, InvalidImage
from facematch_mock_server.base.state import UNSET

from .cards import Card, pair_score
from .facts import (
    Facts,
    FactsCache,
    apply_to_liveness,
    apply_to_match,
    make_likely_face,
    see_liveness,
    see_picture,
)
from .outcomes import (
    UNKNOWN,
    Digests,
    Fields,
    LivenessOutcome,
    MatchOutcome,
    OutcomeKind,
    SeenPicture,
    SetOutcome,
    Waiting,
)

#: The deciders of a score.
EngineName = Literal["cards", "local"]
#: Most pictures whose facts are cached, a few hundred bytes each.
_CACHED = 2000


class Recognizer:
    """Decides what a mock vendor sees in pictures. Thread-safe. A test may derive from it."""

    # Sources of a score, in order: outcomes that the test set; test cards; the backend local with
    # `engine` (no liveness); the bytes (equal ones score 100, different ones 2-20, fixed by the
    # pair). The order is the mock's own.

    def __init__(self, *, engine: EngineName = "cards") -> None:
        if engine not in get_args(EngineName):
            raise ValueError(f"engine must be cards or local, not {engine!r:.40}")
        #: The facts of pictures.
        self.facts = FactsCache(_CACHED)
        self.waiting = Waiting()
        self._engine = LocalEngine() if engine == "local" else None

    def copy_for_world(self) -> Recognizer:
        """Return a copy with outcomes of its own, and the same facts and engine."""
        other = copy.copy(self)
        other.waiting = Waiting()
        return other

    @property
    def needs_bytes(self) -> bool:
        """Whether it compares bytes, not only facts."""
        return self._engine is not None

    def card_of(self, digest: str) -> Card | None:
        """Return the test card with that SHA-256, if it was seen lately."""
        facts = self.facts.find(digest)
        return None if facts is None else facts.card

    def make_outcome(
        self,
        kind: OutcomeKind,
        *,
        digest: str | None = None,
        picture: bytes | None = None,
        **facts: Any,
    ) -> SetOutcome:
        """Make an outcome, for calls with a picture of this digest, or for any call."""
        if digest is not None and picture is not None:
            raise ValueError("give a digest or a picture, not both")
        digests = [] if digest is None else [digest]
        if picture is not None:
            digests.append(hashlib.sha256(picture).hexdigest())
            with contextlib.suppress(InvalidImage):
                digests.append(Image.from_bytes(picture).prepared().sent_digest)
        return SetOutcome(kind=kind, digests=digests, **facts)

    def match(
        self,
        probe: bytes,
        reference: bytes,
        *,
        rotate: bool,
        digests: Digests = UNKNOWN,
        fields: Fields = dict,
    ) -> MatchOutcome:
        """Compare two pictures; with `rotate` quarter turns are tried."""
        first, second = self.facts.of(probe, digests[0]), self.facts.of(reference, digests[1])
        card, other = first.card, second.card
        outcome = match = None
        if self.waiting:
            outcome = self.waiting.take("match", [first.digest, second.digest], fields)
        # A set score and a card need no engine.
        is_open = card is other is None and (outcome is None or outcome.score is UNSET)
        if self._engine is not None and is_open and first.size and second.size:
            match = self._engine.compare(probe, reference, (first, second), rotate=rotate)
        if match is None:
            sight = see_picture(first, rotate=rotate)
            other_sight = see_picture(second, rotate=rotate)
            if not (sight.faces and other_sight.faces):
                score = None
            elif card is not None and card.score is not None:
                score = float(card.score)
            elif other is not None and other.score is not None:
                score = float(other.score)
            elif card is other is None and first.digest == second.digest:
                score = 100.0
            else:
                # A picture without a card is a person of its own.
                score = pair_score(
                    f"sha256:{first.digest}" if card is None else card.person,
                    f"sha256:{second.digest}" if other is None else other.person,
                )
            match = MatchOutcome(
                probe=sight,
                reference=other_sight,
                score=score,
                review=(card is not None and card.review) or (other is not None and other.review),
                by="bytes" if card is other is None else "card",
            )
        return match if outcome is None else apply_to_match(outcome, match, first, second)

    def liveness(
        self, probe: bytes, *, rotate: bool, digest: str | None = None, fields: Fields = dict
    ) -> LivenessOutcome:
        """Check one picture for liveness."""
        facts = self.facts.of(probe, digest)
        outcome = self.waiting.take("liveness", [facts.digest], fields) if self.waiting else None
        check = see_liveness(facts, self._look(probe, facts, rotate=rotate))
        return check if outcome is None else apply_to_liveness(outcome, check, facts)

    def look(self, picture: bytes, *, rotate: bool, digest: str | None = None) -> SeenPicture:
        """Find the faces of one picture; uses up no outcome."""
        return self._look(picture, self.facts.of(picture, digest), rotate=rotate)

    def load(self) -> None:
        """Open the engine's backend, if there is one, before the first pair."""
        if self._engine is not None:
            self._engine.load()

    def close(self) -> None:
        """Close the engine's backend. May be called more than once."""
        if self._engine is not None:
            self._engine.close()

    def _look(self, picture: bytes, facts: Facts, *, rotate: bool) -> SeenPicture:
        sight, engine = None, self._engine
        if engine is not None and facts.card is None and facts.size is not None:
            sight = engine.look(picture, facts, rotate=rotate)
        return see_picture(facts, rotate=rotate) if sight is None else sight


class LocalEngine:
    """The backend `local` as a judge of pairs, opened when first needed. Safe across threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._verifiers: dict[bool, Any] = {}

    def load(self, *, rotate: bool = False) -> Any:
        from facematch_core import open_verifier  # imported here: it loads the whole interface

        with self._lock:
            if rotate not in self._verifiers:
                self._verifiers[rotate] = open_verifier("local", rotate=rotate)
            return self._verifiers[rotate]

    def close(self) -> None:
        """Close the backend; it opens again when needed."""
        with self._lock:
            verifiers, self._verifiers = self._verifiers, {}
        for verifier in verifiers.values():
            verifier.close()

    def compare(
        self, probe: bytes, reference: bytes, facts: tuple[Facts, Facts], *, rotate: bool
    ) -> MatchOutcome | None:
        """Compare two pictures; None if it cannot decode one. Ages come from the facts."""
        try:
            result = self.load(rotate=rotate).verify(probe, reference)
        except InvalidImage:
            return None
        return MatchOutcome(
            probe=_see_faces(result.probe_faces or (), facts[0]),
            reference=_see_faces(result.reference_faces or (), facts[1]),
            score=None if result.score is None else result.score.value,
            by=result.backend,
        )

    def look(self, picture: bytes, facts: Facts, *, rotate: bool) -> SeenPicture | None:
        match = self.compare(picture, picture, (facts, facts), rotate=rotate)
        return None if match is None else match.probe


def _see_faces(faces: tuple[Any, ...], facts: Facts) -> SeenPicture:
    angle = (faces[0].rotation or 0) if faces else 0
    shown = []
    for number, face in enumerate(faces):
        facts_of_face: dict[str, Any] = {}
        if (box := face.box) is not None:
            edges = (box.left, box.top, box.right, box.bottom)
            facts_of_face["box"] = tuple(round(edge) for edge in edges)
        if face.confidence is not None:
            facts_of_face["confidence"] = round(face.confidence, 6)
        shown.append(attrs.evolve(make_likely_face(facts, number), **facts_of_face))
    return SeenPicture(faces=tuple(shown), angle=angle)
