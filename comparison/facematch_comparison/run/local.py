"""Run a local engine: embed each picture once, then compare the embeddings.

Gives the same answers as `RunSystem.ask_all`.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import attrs
import numpy as np

from facematch_core.backend import decide_by_threshold
from facematch_core.errors import ConfigurationError
from facematch_core.http import HttpBackend
from facematch_core.models import Charged, Decision, Operation, Score

from .pairs import PairOutcome, PairState
from .system import RunSystem

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Number of pairs stored in one transaction.
PAIRS: Final = 64


class _Embedded(NamedTuple):
    """The embedding of one picture; `vector` is None without a face or if it is not finite."""

    vector: NDArray[np.float32] | None
    error: str | None
    elapsed_s: float | None


def makes_embeddings(system: RunSystem) -> bool:
    """Return whether the system is a local engine that returns embeddings."""
    backend = system.backend
    return (
        not system.is_careful
        and not isinstance(backend, HttpBackend)
        and not system.verifier.policies
        and all(callable(getattr(backend, name, None)) for name in ("embed", "scores"))
    )


def ask_locally(system: RunSystem, threads: int) -> None:  # noqa: C901 - closures, read in order
    """Ask about every free pair; the engine embeds each picture once."""
    digests, verifier = system.digests, system.verifier
    engine: Any = verifier.backend
    threshold, review = verifier.thresholds(Operation.MATCH)
    # Each picture takes about 1 kB of memory.
    pictures: dict[str, _Embedded] = {}
    # Outcome of the first scored pair, from `verify`. The other pairs copy its scale and model.
    pattern: PairOutcome | None = None

    def look(path: Path) -> None:
        if system.is_over:
            return
        for row in engine.embed([path]).to_pylist():
            vector = np.asarray(row["embedding"], np.float32) if row["face"] else None
            if vector is not None and not np.isfinite(vector).all():
                vector = None
            pictures[row["sha256"]] = _Embedded(vector, row["error"], row["elapsed_s"])
        if digests[path] not in pictures:
            system.picture(path)
            raise ConfigurationError(f"The engine reported another digest for {path}: report this.")

    def ask(number: int) -> PairOutcome | None:
        """Return the outcome of a pair, or None if a later run asks it."""
        nonlocal pattern
        pair = system.study.pairs[number]
        seen = [pictures.get(digests[path]) for path in (pair.probe, pair.reference)]
        both = [picture for picture in seen if picture is not None]
        if len(both) < 2:
            return None
        if pattern is None:
            whole = system.ask(number)
            pattern = None if whole is None or whole.score is None else whole
            return whole
        if (error := both[0].error or both[1].error) is not None:
            return PairOutcome(state=PairState.ANSWERED, billed=Charged.NO, error=error)
        times_s = [picture.elapsed_s for picture in both]
        elapsed_s = None if None in times_s else sum(filter(None, times_s))
        faceless = attrs.evolve(pattern, score=None, scale=None, elapsed_s=elapsed_s, call_id=None)
        vectors = [picture.vector[None] for picture in both if picture.vector is not None]
        if len(vectors) < 2:
            return attrs.evolve(faceless, decision=decide_by_threshold(None, threshold))
        score = float(engine.scores(*vectors)[0, 0])
        decision = decide_by_threshold(Score(score, str(pattern.scale)), threshold)
        if decision is Decision.MATCH and review is not None and not review.passes(score):
            decision = Decision.REVIEW
        return attrs.evolve(faceless, score=score, scale=pattern.scale, decision=decision)

    count = min(threads, os.cpu_count() or 1)
    with ThreadPoolExecutor(count, "facematch-embed") as pool:
        while numbers := system.take(PAIRS):
            pairs = [system.study.pairs[number] for number in numbers]
            paths = {digests[path]: path for pair in pairs for path in (pair.probe, pair.reference)}
            list(pool.map(look, [paths[digest] for digest in paths if digest not in pictures]))
            system.ask_each(numbers, ask)
