"""`Deciding`: who decides what a mock vendor sees, in a fixed order."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from facematch_core import Image, InvalidImage
from facematch_mock_server.index import Identity, likeness
from facematch_mock_server.outcomes import Likeness, LivenessOutcome, MatchOutcome, SeenPicture

from ._applying import applied_to_liveness, applied_to_match
from ._facts import Facts, FactsCache
from ._outcomes import UNSET, Operation, SetOutcome, Unset, Waiting
from ._seeing import likely_liveness, liveness_of_card, seen

if TYPE_CHECKING:
    from facematch_core import FaceVerifier

    from ._local import LocalEngine

EngineName = Literal["cards", "local", "simulated"]

#: What decides a score: by name, or what opens a verifier that does.
EngineChoice: TypeAlias = "EngineName | Callable[[], FaceVerifier]"


class Deciding:
    """Decides what a mock vendor sees. Safe across threads.

    In this order: outcomes set by the test; test cards; real scores of the backend local, if
    `engine` says so; else the bytes: the same ones score 100, different ones 2-20, fixed by the
    pair. A picture with a side under 64 pixels has no face. All of this is ours, no vendor's.
    The engine ``simulated`` comes before the cards: it makes scores of them with errors.

    Args:
        engine: ``cards``; or ``local`` for real scores and real faces of pictures that are no
            cards; or ``simulated`` for scores with known error rates; or what opens a verifier of
            such a backend, with settings. No engine checks liveness: there the bytes decide.
        salt: Another one gives the pairs other scores.
        cached_pictures: Of how many pictures it is remembered what they are, at least 1; a few
            hundred bytes each, the pictures are not kept.

    Raises:
        ValueError: an unknown engine, or a wrong number.
    """

    def __init__(
        self, *, engine: EngineChoice = "cards", salt: str = "", cached_pictures: int = 2000
    ) -> None:
        if not callable(engine) and engine not in get_args(EngineName):
            raise ValueError(f"engine is cards, local or simulated, not {engine!r:.40}")
        if type(cached_pictures) is not int or cached_pictures < 1:
            raise ValueError("cached_pictures is a whole number from 1 on")
        self._salt = salt
        self._facts = FactsCache(cached_pictures)
        self._waiting = Waiting()
        self._engine = None if engine == "cards" else _engine_of(engine)

    def beside(self) -> Deciding:
        """One with outcomes of its own, which knows the same pictures and has the same engine."""
        other = Deciding.__new__(Deciding)
        other._salt, other._facts, other._engine = self._salt, self._facts, self._engine  # noqa: SLF001 - one of our own
        other._waiting = Waiting()  # noqa: SLF001 - as above
        return other

    # What the test sets

    def set_outcome(
        self,
        kind: Operation,
        *,
        score: float | Unset | None = UNSET,
        review: bool | None = None,
        faces: int | None = None,
        attack: bool | None = None,
        quality: float | None = None,
        luminance: float | None = None,
        blocklist: Likeness | None = None,
        duplicate: Likeness | None = None,
        age: float | Unset | None = UNSET,
        times: int | None = 1,
        digest: str | None = None,
        picture: bytes | None = None,
    ) -> SetOutcome:
        """Set what the next calls find. What is left out is decided as it would be else.

        Args:
            kind: ``match`` or ``liveness``.
            score: 0-100, not rounded. None: no pair of faces could be scored (match), or the model
                gave no confidence (liveness).
            review: Whether a person is to look.
            faces, attack, quality, luminance, blocklist, duplicate, age: Of a liveness check only,
                as in `SetOutcome`.
            times: For how many calls, from 1 on; None for all.
            digest: Only calls with a picture of this SHA-256 (64 hexadecimal digits).
            picture: Instead: only calls with this picture, as it is or as the library sends it,
                without its metadata.

        Returns:
            The outcome as it waits.

        Raises:
            ValueError: a value of another type or range, or values that do not go together.
        """
        if digest is not None and picture is not None:
            raise ValueError("give a digest or a picture, not both")
        given = [] if digest is None else [digest]
        digests = given if picture is None else _digests_of(picture)
        outcome = SetOutcome(
            kind=kind,
            score=score,
            review=review,
            faces=faces,
            attack=attack,
            quality=quality,
            luminance=luminance,
            blocklist=blocklist,
            duplicate=duplicate,
            age=age,
            times=times,
            digests=digests,
        )
        self._waiting.add(outcome)
        return outcome

    @property
    def outcomes(self) -> tuple[SetOutcome, ...]:
        """The outcomes that still wait, in the order they were set."""
        return self._waiting.all

    def clear(self) -> None:
        """Drop all outcomes that were set."""
        self._waiting.clear()

    # What the vendors ask

    def match(
        self,
        probe: bytes,
        reference: bytes,
        *,
        rotate: bool,
        probe_digest: str | None = None,
        reference_digest: str | None = None,
    ) -> MatchOutcome:
        """The facts of one comparison.

        Args:
            rotate: Whether quarter turns of the pictures are tried.
            probe_digest, reference_digest: SHA-256 in lower case, if the caller has them already.
        """
        facts = self._facts.of(probe, probe_digest), self._facts.of(reference, reference_digest)
        wanted = self._waiting.take("match", (one.digest for one in facts))
        found = None
        # A score that was set needs no engine.
        if self._engine is not None and (wanted is None or wanted.score is UNSET):
            found = self._by_engine(self._engine, probe, reference, facts, rotate=rotate)
        if found is None:
            found = self._by_facts(*facts, rotate=rotate)
        return found if wanted is None else applied_to_match(wanted, found, *facts)

    def liveness(self, probe: bytes, *, rotate: bool, digest: str | None = None) -> LivenessOutcome:
        """The facts of one liveness check; the arguments are those of `match`."""
        facts = self._facts.of(probe, digest)
        wanted = self._waiting.take("liveness", (facts.digest,))
        picture = self._looked(probe, facts, rotate=rotate)
        card = facts.card
        found = liveness_of_card(card, picture) if card else likely_liveness(facts, picture)
        return found if wanted is None else applied_to_liveness(wanted, found, facts)

    def identify(self, picture: bytes, *, rotate: bool, digest: str | None = None) -> Identity:
        """Who is in a picture, for an index of faces; the arguments are those of `match`."""
        facts = self._facts.of(picture, digest)
        known, engine = _named(facts), self._engine
        if engine is None or facts.card is not None or facts.size is None or not engine.embeds:
            return known
        return Identity(known.name, embedding=engine.embedding(picture, rotate=rotate))

    @property
    def salt(self) -> str:
        """What pairs of names are salted with."""
        return self._salt

    def embedding_scores(self, probes: Any, references: Any) -> Any:
        """The score of every probe with every reference, both as embeddings, a row each: 0-100.

        Raises:
            LookupError: there is no engine that makes embeddings.
        """
        if self._engine is None or not self._engine.embeds:
            raise LookupError("only the engine local compares embeddings")
        return self._engine.scores(probes, references)

    def load(self) -> None:
        """Open the backend of the engine now, if it has one, rather than with the first pair.

        Raises:
            BackendUnavailable, BackendUnavailable, ConfigurationError: it cannot be used here.
        """
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

    def _by_engine(
        self,
        engine: LocalEngine,
        probe: bytes,
        reference: bytes,
        facts: tuple[Facts, Facts],
        *,
        rotate: bool,
    ) -> MatchOutcome | None:
        if any(one.size is None for one in facts):
            return None
        if any(one.card is not None for one in facts) and not engine.reads_cards:
            return None
        return engine.compare(probe, reference, facts, rotate=rotate)

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
        return likeness(_named(probe), _named(reference), self._salt)


def _engine_of(engine: str | Callable[[], FaceVerifier]) -> LocalEngine:
    # Not above: it brings the whole interface along, and most mocks start without it.
    from ._local import LocalEngine

    return LocalEngine(engine)


def _named(facts: Facts) -> Identity:
    score = None if facts.card is None else facts.card.score
    return Identity(_name(facts), None if score is None else float(score))


def _name(facts: Facts) -> str:
    """Who is in a picture: a card's person, else nobody but the picture itself."""
    return facts.card.person if facts.card is not None else f"sha256:{facts.digest}"


def _digests_of(picture: bytes) -> set[str]:
    digests = {hashlib.sha256(picture).hexdigest()}
    with contextlib.suppress(InvalidImage):
        digests.add(Image.from_bytes(picture).prepared().sent_digest)
    return digests
