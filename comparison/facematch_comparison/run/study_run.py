"""Run every pair of a test set on every system once; read the answers."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import Any, Final, Self, TypeAlias

import attrs
import numpy as np
import pandas as pd

from facematch_comparison.scores.answers import BILLED, DECISIONS, NO_DECISION, NOT_ASKED, Answers
from facematch_comparison.study.reading import Study
from facematch_comparison.values.numbers import join_names
from facematch_core.backend.kinds import format_argument
from facematch_core.base.deadline import Clock, SystemClock
from facematch_core.base.tables import raise_problems
from facematch_core.errors import InvalidImage, InvalidRequest
from facematch_core.images.image import Image
from facematch_core.models import Charged, Decision, ThresholdRule
from facematch_core.verifier.verifier import MAX_WORKERS

from .database import RunDatabase
from .records import PairOutcome, PairState, Price, StoredStudy, StoredSystem
from .system import OnEnd, RunSystem, finalize_budgets

#: A callable that opens a system, such as ``functools.partial(open_verifier, profile="a")``. It is
#: called with ``on_event`` and must pass it to the `FaceVerifier`.
SystemOpener: TypeAlias = Callable[..., Any]

#: Reason for a missing answer if the row has no error.
_REASONS: Final = {
    PairState.FREE: NOT_ASKED,
    PairState.BEGUN: NOT_ASKED,
    PairState.ASKED: "unresolved",
    PairState.UNRESOLVED: "unresolved",
    PairState.FAILED: "failed",
    PairState.NO_RESPONSE: "charged, no response",
}

_NOT_ASKED: Final = PairOutcome(state=PairState.FREE, billed=None)


@attrs.frozen(kw_only=True)
class RunSummary:
    """The result of a run, with the systems in the order given."""

    systems: tuple[RunSystem, ...]
    was_stopped: bool

    @property
    def is_complete(self) -> bool:
        """Whether no pairs are left to run."""
        return not any(system.progress.left for system in self.systems)

    @property
    def changed_models(self) -> Mapping[str, Mapping[str, int]]:
        """Number of answers by model, for each system that answered with several models.

        `read_answers` then requires `models`.
        """
        models = {system.name: system.progress.models for system in self.systems}
        return {name: counts for name, counts in models.items() if len(counts) > 1}


class StudyRun:
    """A test set and its opened systems, stored in the run database. A context manager.

    Args:
        systems: Opener of each system, by name.
        database: The run database. `close` unlocks it but does not close it.
        keep: Names of systems whose vendor is asked to keep a record of each call, so that lost
            answers can be found again.
        prices: Price of a call by system; defaults to the price in the system's budget.
        clock: Fake clock, for tests.

    Attributes:
        stored: The test set in the run database.
        systems: The opened systems, in the order given.

    Raises:
        InvalidRequest: a picture cannot be read; the database has another test set; a system is a
            failover, or ran with other settings before; `keep` or `prices` has an unknown system.
        FaceMatchError: a system cannot be opened, or cannot compare two faces.
        ConfigurationError: the run database failed, is damaged, or is locked by another process.
    """

    def __init__(
        self,
        study: Study,
        systems: Mapping[str, SystemOpener],
        database: RunDatabase,
        *,
        keep: Collection[str] = (),
        prices: Mapping[str, Price] | None = None,
        clock: Clock | None = None,
    ) -> None:
        clock, prices = clock or SystemClock(), prices or {}
        if not systems:
            raise InvalidRequest("A comparison needs at least one system.")
        for key in (*keep, *prices):
            if key not in systems:
                there = ", ".join(systems)
                raise InvalidRequest(f"Unknown system {key[:60]!r}; this run has: {there}.")
        with contextlib.ExitStack() as undo:
            # Write nothing unless all systems can be called.
            digests = digests_of(study)
            entering = StoredStudy.of_study(study, study.digest(digests))
            shared: dict[str, Any] = {"study": study, "digests": digests, "database": database}
            shared |= {"reference": entering.reference, "clock": clock, "undo": undo}
            self.systems = tuple(
                RunSystem(name, opener, kept=name in keep, price=prices.get(name), **shared)
                for name, opener in systems.items()
            )
            database.lock()
            undo.callback(database.unlock)
            self.stored = database.enter_study(entering)
            for system in self.systems:
                system.stored = database.enter_system(self.stored, system.stored)
            for system in self.systems:
                finalize = partial(finalize_budgets, system.stores, now=clock.now())
                database.take_back(system.stored, finalize)
                # This also finds damaged rows before anything is sent.
                system.count_pairs()
            self._at_end = undo.pop_all()

    def run(
        self,
        *,
        workers: int = 4,
        progress: OnEnd | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> RunSummary:
        """Run the remaining pairs of every system. Each system has its own threads.

        Pairs run in random order, so an interrupted run has the answers to a random sample. A fatal
        error stops only its own system. A pair whose call may have been charged is never retried
        automatically: facematch searches the vendor's records for it, or it stays unresolved.

        Args:
            workers: Concurrent calls per system, 1-256.
            progress: Called with the system's name and the state of each finished pair, from any
                thread; must not raise.
            stop: Returns True when no more calls should start. Calls in flight are finished.

        Raises:
            InvalidRequest: `workers` is out of range.
            KeyboardInterrupt: after calls in flight are finished.
        """
        if type(workers) is not int or not 1 <= workers <= MAX_WORKERS:
            raise InvalidRequest(f"workers must be a whole number from 1 to {MAX_WORKERS}.")
        over = threading.Event()

        def is_stopped() -> bool:
            return over.is_set() or (stop is not None and stop())

        turns, on_end = self.stored.turns().tolist(), progress or (lambda _name, _state: None)

        with ThreadPoolExecutor(len(self.systems), "facematch-run") as pool:
            try:
                futures = [
                    pool.submit(system.run, turns, workers, stop=is_stopped, on_end=on_end)
                    for system in self.systems
                ]
                wait(futures)
            except BaseException:
                # The pool waits for calls in flight, because they may be charged.
                over.set()
                raise
        for future in futures:
            future.result()
        for system in self.systems:
            system.count_pairs()
        return RunSummary(systems=self.systems, was_stopped=is_stopped())

    def close(self) -> None:
        """Close the systems, and unlock the run database. May be called more than once."""
        self._at_end.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def digests_of(study: Study) -> dict[Path, str]:
    """Return the SHA-256 of each picture; raise `InvalidRequest` if a file is not a picture."""
    digests: dict[Path, str] = {}
    faults: list[str] = []
    for path in study.pictures:
        try:
            digests[path] = hashlib.sha256(Image.read(path).data).hexdigest()
        except InvalidImage as error:
            faults.append(error.message)
    raise_problems(study.name, faults)
    return digests


def run_study(
    study: Study,
    systems: Mapping[str, SystemOpener],
    database: RunDatabase,
    *,
    workers: int = 4,
    progress: OnEnd | None = None,
    **more: Any,
) -> RunSummary:
    """Run every pair of a test set on every system once; resume an earlier run.

    For arguments and errors see `StudyRun` and `StudyRun.run`. The summary has the error of each
    system that was stopped. An example of an opener: ``partial(open_verifier, profile="didit")``.
    """
    with StudyRun(study, systems, database, **more) as run:
        return run.run(workers=workers, progress=progress)


def read_answers(database: RunDatabase, *, models: Sequence[str] = ()) -> list[Answers]:
    """Return the answers of each system in a run database, in insertion order.

    Args:
        models: Models whose answers are used if a vendor changed its model during the run. Pairs
            answered by another model are treated as not asked.

    Raises:
        InvalidRequest: there is no test set yet; or a system answered with several models, and
            `models` does not name one.
        ConfigurationError: the run database failed, or is damaged.
    """
    study, answers = database.study(), []
    for system in database.systems():
        rows = database.answers(system.number, study.pairs)
        counts = Counter(row.model for row in rows if row.model)
        chosen = [model for model in counts if model in models]
        if len(counts) > 1:
            if len(chosen) != 1:
                shown = join_names([f"{model!r} ({n:,} pairs)" for model, n in counts.items()])
                raise InvalidRequest(
                    f"The model of {system.name} changed during the run: {shown}. Choose the model "
                    "whose answers count, such as "
                    f"{format_argument('models', [next(iter(counts))])}."
                )
            rows = [row if row.model in (None, *chosen) else _NOT_ASKED for row in rows]
        answers.append(_of_rows(study, system, rows))
    return answers


def _of_rows(study: StoredStudy, system: StoredSystem, rows: Sequence[PairOutcome]) -> Answers:
    codes = [NO_DECISION if row.decision is None else DECISIONS.index(row.decision) for row in rows]
    without_faces = (NO_DECISION, DECISIONS.index(Decision.INCONCLUSIVE))
    models = {row.model for row in rows} - {None}
    reasons = [row.error or _REASONS[row.state] if row.state in _REASONS else None for row in rows]
    return Answers.of(
        name=system.name,
        rule=ThresholdRule(system.settings["rule"]),
        scores=np.array([row.score for row in rows], np.float64),
        decisions=np.array(codes, dtype=np.int8),
        acquired=~np.isin(codes, without_faces),
        answered=np.array([row.state is PairState.ANSWERED for row in rows], dtype=np.bool_),
        errors=pd.Categorical(reasons, [*dict.fromkeys(filter(None, reasons))]),
        elapsed_s=np.array([row.elapsed_s for row in rows], np.float64),
        billed=np.array([BILLED.index(row.billed or Charged.NO) for row in rows], dtype=np.int8),
        **study.columns(),
        scale=system.scale,
        threshold=system.settings["threshold"],
        backend=system.settings["backend"],
        model=models.pop() if len(models) == 1 else None,
        environment=system.answered_from,
        price=None if system.price is None else float(system.price.amount),
        currency=None if system.price is None else system.price.currency,
        privacy=str(system.settings["privacy"]),
    )
