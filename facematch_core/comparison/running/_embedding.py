"""An engine that embeds pictures looks at each of them once, however many pairs it stands in."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

import attrs
import numpy as np

from facematch_core._pipeline import CallOptions
from facematch_core._policy import check_score, review
from facematch_core.comparison._worker import embedding_of, stacked
from facematch_core.errors import ConfigurationError, InvalidImage
from facematch_core.http import HttpBackend
from facematch_core.models import Decision, Environment, MatchResult, Operation, Score

from ._pool import ask_pairs
from ._records import Claim, Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facematch_core.images import Image

    from ._contender import Contender
    from ._turn import Turn

#: From files to embeddings: float64, (N, D), in their order; a row of NaN for a picture without a
#: face, or one that cannot be used.
Embed: TypeAlias = "Callable[[Sequence[Path]], NDArray[np.float64]]"

#: Pairs that are claimed at a time: some seconds of work on one machine.
BATCH: Final = 64


@attrs.frozen(kw_only=True)
class Embedder:
    """Who computes embeddings, if not this process.

    Attributes:
        embed: Called with files that were not embedded yet, in the thread of the contender.
        batch: Pairs that are claimed at a time, from 1 on; other processes cannot have them.
    """

    embed: Embed
    batch: int = BATCH

    def of(self, _turn: Turn) -> Embedder:
        """Itself: files are enough for it."""
        return self


class EmbedderOf(Protocol):
    """What makes an `Embedder` for one contender; an `Embedder` is one, and so is `Cluster`."""

    def of(self, turn: Turn, /) -> Embedder:
        """What computes this contender's embeddings."""


def why_not_embedded(contender: Contender) -> str | None:
    """Why a contender's pictures cannot be embedded one by one; None if they can.

    They can if its backend has `embeddings` and `scores`; not where a call may be charged, leaves
    this machine, or passes a gate.
    """
    return next((words for words, holds in _WHY_NOT if holds(contender)), None)


def can_embed(contender: Contender) -> bool:
    """Whether a contender's pictures can be embedded one by one."""
    return why_not_embedded(contender) is None


def _embeds(backend: Any) -> bool:
    return all(callable(getattr(backend, name, None)) for name in ("embeddings", "scores"))


_WHY_NOT: Final[tuple[tuple[str, Callable[[Contender], bool]], ...]] = (
    ("its calls may be charged", lambda one: one.is_billed),
    ("it asks over HTTP", lambda one: isinstance(one.verifier.backend, HttpBackend)),
    (
        "it does not answer on this machine",
        lambda one: one.verifier.backend.environment is not Environment.LOCAL,
    ),
    ("its calls pass policies", lambda one: bool(one.verifier.policies)),
    ("it makes no embeddings", lambda one: not _embeds(one.verifier.backend)),
)


def ask_by_embeddings(turn: Turn, workers: int, elsewhere: EmbedderOf | None) -> None:
    """Ask about every free pair as `ask_pairs` does, with the same answers.

    The first pair is asked both ways. Should the two scores differ, every pair is asked by itself;
    so is each with a picture that has no embedding, because the reason counts.
    """
    embedder = Embedder(embed=_Here(turn, workers)) if elsewhere is None else elsewhere.of(turn)
    known: dict[Path, NDArray[np.float64]] = {}
    judge = _Judge(turn)
    while not turn.is_over and judge.agrees:
        claims = turn.claim(embedder.batch)
        if not claims and not turn.recover():
            return
        ended: list[tuple[Claim, Outcome]] = []
        try:
            _embed(turn, embedder, claims, known)
            ended = judge.outcomes(claims, known)
        finally:
            turn.finish(claims, ended, begun={claim for claim, _ in ended})
    ask_pairs(turn, workers)


class _Here:
    """Embeds on this machine, with the settings of the contender's verifier."""

    def __init__(self, turn: Turn, workers: int) -> None:
        self._turn = turn
        self._workers = min(workers, os.cpu_count() or 1)

    def __call__(self, pictures: Sequence[Path]) -> NDArray[np.float64]:
        with ThreadPoolExecutor(self._workers, thread_name_prefix="facematch-embed") as pool:
            return stacked(list(pool.map(self._one, pictures)))

    def _one(self, path: Path) -> NDArray[np.float64] | None:
        turn = self._turn
        if turn.is_over:
            return None
        try:
            return embedding_of(turn.contender.verifier.backend, prepared(turn, path))
        except InvalidImage:
            return None


def prepared(turn: Turn, path: Path) -> Image:
    """A picture of the study as the backend gets it.

    Raises:
        InvalidImage: it cannot be used.
        ConfigurationError: as `Turn.picture`.
    """
    verifier = turn.contender.verifier
    (image,) = verifier._refuse(Operation.MATCH, [turn.picture(path)], CallOptions())  # noqa: SLF001 - a comparison belongs to the core
    return image


def _embed(
    turn: Turn,
    embedder: Embedder,
    claims: Sequence[Claim],
    known: dict[Path, NDArray[np.float64]],
) -> None:
    """Embed what is not known yet; of many pictures, that is about 1 kB of memory for each."""
    pairs = [turn.study.pairs[claim.pair] for claim in claims]
    both = dict.fromkeys(path for pair in pairs for path in (pair.probe, pair.reference))
    missing = [path for path in both if path not in known]
    if not missing:
        return
    rows = embedder.embed(missing)
    if rows.ndim != 2 or len(rows) != len(missing):
        raise ConfigurationError(
            f"The embeddings of {len(missing)} pictures have the shape {rows.shape}: there must be "
            "one row for each."
        )
    known.update(zip(missing, rows, strict=True))


class _Judge:
    """From embeddings to answers, by the rules that every answer goes through."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        verifier = turn.contender.verifier
        backend = verifier.backend
        self._threshold, self._review = verifier.thresholds(Operation.MATCH)
        self._scores: Callable[..., NDArray[np.float64]] = backend.scores  # type: ignore[attr-defined]  # `can_embed` found it
        #: What the first pair was answered when it was asked by itself.
        self._pattern: Outcome | None = None
        self.agrees = True

    def outcomes(
        self, claims: Sequence[Claim], known: dict[Path, NDArray[np.float64]]
    ) -> list[tuple[Claim, Outcome]]:
        """What pairs ended in, as far as the turn and the agreement last."""
        ended = []
        for claim in claims:
            if self._turn.is_over or not self.agrees:
                break
            pair = self._turn.study.pairs[claim.pair]
            outcome = self._outcome(claim, known[pair.probe], known[pair.reference])
            if outcome is not None:
                ended.append((claim, outcome))
        return ended

    def _outcome(
        self, claim: Claim, probe: NDArray[np.float64], reference: NDArray[np.float64]
    ) -> Outcome | None:
        if len(probe) != len(reference) or np.isnan(probe).any() or np.isnan(reference).any():
            return self._turn.ask(claim)
        score = float(self._scores(probe[None], reference[None])[0, 0])
        if self._pattern is None:
            asked = self._turn.ask(claim)
            if asked is not None and asked.score is not None:
                self._pattern = asked
                computed = self._judged(score, asked)
                self.agrees = (computed.score, computed.decision) == (asked.score, asked.decision)
            return asked
        return self._judged(score, self._pattern)

    def _judged(self, score: float, pattern: Outcome) -> Outcome:
        passes = None if self._threshold is None else self._threshold.passes(score)
        decisions = {True: Decision.MATCH, False: Decision.NO_MATCH, None: Decision.REVIEW}
        result = MatchResult(
            decision=decisions[passes],
            score=Score(score, str(pattern.scale)),
            threshold=self._threshold,
            backend=str(pattern.backend),
        )
        ruled = review(check_score(result, self._threshold), self._review)
        return attrs.evolve(
            pattern,
            score=score,
            decision=Decision(ruled.decision),
            elapsed_s=None,
            attempt_id=None,
        )
