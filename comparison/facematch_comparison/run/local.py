"""Run a local engine: embed each picture once, then compare the embeddings.

Gives the same answers as `RunSystem.ask_all`.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np

from facematch_core.backend import decide_by_threshold
from facematch_core.errors import ConfigurationError
from facematch_core.http import HttpBackend
from facematch_core.models import Charged, Decision, Operation, Score

from .pairs import PairOutcome, PairState
from .system import RunSystem

#: Number of pairs stored in one transaction.
PAIRS: Final = 64


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
    # Row of each picture from `embed`, by digest: about 1 kB.
    pictures: dict[str, dict[str, Any]] = {}
    # Outcome of the first scored pair, from `verify`. The other pairs copy its scale and model.
    pattern: PairOutcome | None = None

    def look(path: Path) -> None:
        if system.is_over:
            return
        (row,) = engine.embed([path]).to_pylist()
        if row["sha256"] != digests[path]:
            system.picture(path)
            raise ConfigurationError(f"The engine reported another digest for {path}: report this.")
        vector = row["embedding"] if row["face"] else np.nan
        pictures[digests[path]] = row | {"embedding": np.asarray(vector, np.float32)}

    def ask(number: int) -> PairOutcome | None:
        """Return the outcome of a pair, or None if a later run asks it."""
        nonlocal pattern
        pair = system.study.pairs[number]
        probe, reference = (pictures.get(digests[path]) for path in (pair.probe, pair.reference))
        if probe is None or reference is None:
            return None
        if pattern is None:
            whole = system.ask(number)
            pattern = None if whole is None or whole.score is None else whole
            return whole
        if (error := probe["error"] or reference["error"]) is not None:
            return PairOutcome(state=PairState.ANSWERED, billed=Charged.NO, error=error)
        times_s = (probe["elapsed_s"], reference["elapsed_s"])
        elapsed_s = None if None in times_s else sum(times_s)
        faceless = attrs.evolve(pattern, score=None, scale=None, elapsed_s=elapsed_s, call_id=None)
        vectors = [row["embedding"][None] for row in (probe, reference)]
        if not all(np.isfinite(vector).all() for vector in vectors):
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
