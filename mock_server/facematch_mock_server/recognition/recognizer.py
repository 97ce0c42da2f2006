"""What a mock vendor sees in pictures: outcomes that were set, cards, real scores, or bytes."""

from __future__ import annotations

import contextlib
import copy
import hashlib
from typing import TYPE_CHECKING, Any, Literal, get_args

from facematch_core import Image, InvalidImage
from facematch_mock_server.recognition.cards import Card, pair_score
from facematch_mock_server.recognition.facts import (
    Facts,
    FactsCache,
    applied_to_liveness,
    applied_to_match,
    seen,
    seen_liveness,
)
from facematch_mock_server.recognition.outcomes import (
    UNKNOWN,
    Digests,
    Kind,
    LivenessOutcome,
    MatchOutcome,
    SeenPicture,
    SetOutcome,
    Waiting,
)
from facematch_mock_server.state import UNSET

if TYPE_CHECKING:
    from facematch_mock_server.recognition.engine import LocalEngine

#: What decides a score.
EngineName = Literal["cards", "local"]


class PictureRecognizer:
    """Decides what a mock vendor sees. Safe across threads.

    In this order: outcomes set by the test; test cards; real scores of the backend local, if
    `engine` says so; else the bytes: the same ones score 100, different ones 2-20, fixed by the
    pair. A picture with a side under 64 pixels has no face. All of this is ours, no vendor's.

    Args:
        engine: ``cards``; or ``local`` for real scores and real faces of pictures that are no
            cards. It checks no liveness: there the bytes decide.
        salt: Another one gives the pairs other scores.
        cached_pictures: Of how many pictures it is remembered what they are: a few hundred bytes
            each, the pictures are not kept.
    """

    def __init__(
        self, *, engine: EngineName = "cards", salt: str = "", cached_pictures: int = 2000
    ) -> None:
        if engine not in get_args(EngineName):
            raise ValueError(f"engine must be cards or local, not {engine!r:.40}")
        self._salt = salt
        self._facts = FactsCache(cached_pictures)
        self._waiting = Waiting()
        self._engine: LocalEngine | None = None
        if engine == "local":
            # Not above: it brings the whole interface along, and most mocks start without it.
            from facematch_mock_server.recognition.engine import LocalEngine

            self._engine = LocalEngine()

    def beside(self) -> PictureRecognizer:
        """One with outcomes of its own, which knows the same pictures and has the same engine."""
        other = copy.copy(self)
        other._waiting = Waiting()  # noqa: SLF001 - one of our own
        return other

    def card_in(self, picture: bytes, digest: str | None = None) -> Card | None:
        """The test card that a picture is; None if it is none. `digest` is its SHA-256."""
        return self._facts.of(picture, digest).card

    def card_of(self, digest: str) -> Card | None:
        """The test card of that SHA-256, if it was looked at lately and is one."""
        facts = self._facts.known(digest)
        return None if facts is None else facts.card

    def set_outcome(
        self, kind: Kind, *, digest: str | None = None, picture: bytes | None = None, **facts: Any
    ) -> SetOutcome:
        """Set what the next calls find, as in `SetOutcome`, with one picture or with any.

        A picture is its SHA-256; or itself, as it is or as the library sends it.
        """
        if digest is not None and picture is not None:
            raise ValueError("give a digest or a picture, not both")
        digests = [] if digest is None else [digest]
        if picture is not None:
            digests.append(hashlib.sha256(picture).hexdigest())
            with contextlib.suppress(InvalidImage):
                digests.append(Image.from_bytes(picture).prepared().sent_digest)
        outcome = SetOutcome(kind=kind, digests=digests, **facts)
        self.add(outcome)
        return outcome

    def add(self, outcome: SetOutcome) -> None:
        """Set an outcome after the others."""
        self._waiting.add(outcome)

    @property
    def outcomes(self) -> tuple[SetOutcome, ...]:
        """The outcomes that still wait, in the order they were set."""
        return self._waiting.all

    @property
    def unused(self) -> tuple[SetOutcome, ...]:
        """Those that no call has used."""
        return self._waiting.unused

    def clear(self) -> None:
        """Drop all outcomes that were set."""
        self._waiting.clear()

    def match(
        self, probe: bytes, reference: bytes, *, rotate: bool, digests: Digests = UNKNOWN
    ) -> MatchOutcome:
        """The facts of one comparison; with `rotate` quarter turns of the pictures are tried.

        `digests` is the SHA-256 of each in lower case, as far as the caller has them already.
        """
        facts = self._facts.of(probe, digests[0]), self._facts.of(reference, digests[1])
        wanted = self._waiting.take("match", (one.digest for one in facts))
        found = None
        # A score that was set needs no engine, and neither does a card.
        is_real = all(one.size is not None and one.card is None for one in facts)
        if self._engine is not None and is_real and (wanted is None or wanted.score is UNSET):
            found = self._engine.compare(probe, reference, facts, rotate=rotate)
        if found is None:
            found = self._by_facts(*facts, rotate=rotate)
        return found if wanted is None else applied_to_match(wanted, found, *facts)

    def liveness(self, probe: bytes, *, rotate: bool, digest: str | None = None) -> LivenessOutcome:
        """The facts of one liveness check."""
        facts = self._facts.of(probe, digest)
        wanted = self._waiting.take("liveness", (facts.digest,))
        picture = self._looked(probe, facts, rotate=rotate)
        found = seen_liveness(facts, picture)
        return found if wanted is None else applied_to_liveness(wanted, found, facts)

    def look(self, picture: bytes, *, rotate: bool, digest: str | None = None) -> SeenPicture:
        """What is seen in one picture; no outcome that was set is used up."""
        return self._looked(picture, self._facts.of(picture, digest), rotate=rotate)

    def load(self) -> None:
        """Open the backend of the engine now, if it has one, rather than with the first pair."""
        if self._engine is not None:
            self._engine.load()

    def close(self) -> None:
        """Give back what the backend of the engine holds. May be called more than once."""
        if self._engine is not None:
            self._engine.close()

    def _looked(self, picture: bytes, facts: Facts, *, rotate: bool) -> SeenPicture:
        found, engine = None, self._engine
        if engine is not None and facts.card is None and facts.size is not None:
            found = engine.look(picture, facts, rotate=rotate)
        return seen(facts, rotate=rotate) if found is None else found

    def _by_facts(self, probe: Facts, reference: Facts, *, rotate: bool) -> MatchOutcome:
        cards = [one.card for one in (probe, reference) if one.card is not None]
        pictures = seen(probe, rotate=rotate), seen(reference, rotate=rotate)
        score = self._score(probe, reference) if all(p.faces for p in pictures) else None
        return MatchOutcome(
            probe=pictures[0],
            reference=pictures[1],
            score=score,
            review=any(card.review for card in cards),
            by="card" if cards else "bytes",
        )

    def _score(self, probe: Facts, reference: Facts) -> float:
        for one in (probe, reference):
            if one.card is not None and one.card.score is not None:
                return float(one.card.score)
        if probe.card is None and probe.digest == reference.digest:
            return 100.0
        return pair_score(_name(probe), _name(reference), self._salt)


def _name(facts: Facts) -> str:
    """Who is in a picture: a card's person, else nobody but the picture itself."""
    return facts.card.person if facts.card is not None else f"sha256:{facts.digest}"
