"""Run every pair of a test set on every system once; read the answers."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self, TypeAlias

import attrs
import numpy as np
import pandas as pd

from facematch_comparison.scores.answers import (
    BILLED,
    DECISIONS,
    NO_DECISION,
    NOT_ASKED,
    Answers,
    Parts,
)
from facematch_comparison.study.reading import Study
from facematch_core.base.deadline import Clock, SystemClock
from facematch_core.base.tables import raise_problems
from facematch_core.base.threads import DEFAULT_WORKERS
from facematch_core.batch.records import PairOutcome, PairState, Price, StoredSystem
from facematch_core.batch.system import run_systems
from facematch_core.errors import InvalidImage, InvalidRequest
from facematch_core.images.image import Image
from facematch_core.models import Charged, Decision, ThresholdRule

from .database import RunDatabase
from .parts import StoredRun, digest_of_parts, read_run
from .records import StoredStudy
from .system import OnEnd, RunSystem

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

        `read_answers` returns the answers of each model as those of a system of their own.
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
        """Open all systems, lock the database and enter the study in it; nothing is sent yet.

        `keep` names the systems that may keep pictures. Raise InvalidRequest for an unknown name,
        or if the database has another study or other settings. After any error all that was opened
        is closed, and the lock is released.
        """
        clock = clock or SystemClock()
        prices = prices or {}
        if not systems:
            raise InvalidRequest("A comparison needs at least one system.")
        for name in (*keep, *prices):
            if name not in systems:
                known_names = ", ".join(systems)
                raise InvalidRequest(f"Unknown system {name[:60]!r}; this run has: {known_names}.")
        with contextlib.ExitStack() as undo:
            # Write nothing unless all systems can be called.
            digests = digests_of(study)
            new_study = StoredStudy.of_study(study, study.digest(digests))
            opened = []
            for name, opener in systems.items():
                system = RunSystem(
                    name,
                    opener,
                    asks_to_keep=name in keep,
                    price=prices.get(name),
                    study=study,
                    digests=digests,
                    database=database,
                    caller_ref_of=new_study.caller_ref_of,
                    clock=clock,
                    undo=undo,
                )
                opened.append(system)
            self.systems = tuple(opened)
            database.lock()
            undo.callback(database.unlock)
            self.stored = database.enter_study(new_study)
            for system in self.systems:
                system.stored = database.enter_system(self.stored, system.stored)
            for system in self.systems:
                system.recover()
                # This also finds damaged rows before anything is sent.
                system.count_pairs()
            self._at_end = undo.pop_all()

    def run(
        self,
        *,
        workers: int = DEFAULT_WORKERS,
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
        for system in self.systems:
            system.on_end = progress or (lambda _name, _state: None)
            system.has_answered = system.stored.answered_from is not None
        pairs = np.array(self.stored.numbers)[np.argsort(self.stored.turns())].tolist()
        was_stopped = run_systems(self.systems, pairs=pairs, workers=workers, stop=stop)
        for system in self.systems:
            system.count_pairs()
        return RunSummary(systems=self.systems, was_stopped=was_stopped)

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
    problems: list[str] = []
    for path in study.pictures:
        try:
            digests[path] = hashlib.sha256(Image.read(path).data).hexdigest()
        except InvalidImage as error:
            problems.append(error.message)
    raise_problems(study.name, problems)
    return digests


def run_study(
    study: Study,
    systems: Mapping[str, SystemOpener],
    database: RunDatabase,
    *,
    workers: int = DEFAULT_WORKERS,
    progress: OnEnd | None = None,
    **more: Any,
) -> RunSummary:
    """Run every pair of a test set on every system once; resume an earlier run.

    For arguments and errors see `StudyRun` and `StudyRun.run`. The summary has the error of each
    system that was stopped. An example of an opener: ``partial(open_verifier, profile="didit")``.
    """
    with StudyRun(study, systems, database, **more) as run:
        return run.run(workers=workers, progress=progress)


def read_answers(*databases: RunDatabase) -> list[Answers]:
    """Return the answers of each system in a run database, in insertion order.

    Several run databases must be those of parts (`Study.part`), in any order. Parts may be missing:
    the headline of `evaluate` names them.

    If the model changed during the run, each model is a system, such as ``didit v2``, which was not
    asked about the pairs that another one answered.

    Raises:
        InvalidRequest: there is no test set yet; or several databases are not different parts of
            one test set, run with the same systems and settings.
        ConfigurationError: a run database failed, or is damaged.
    """
    return answers_of(read_run(databases))


def answers_of(run: StoredRun) -> list[Answers]:
    """Return the answers of each system in a run; see `read_answers`."""
    answers = []
    for system in run.systems:
        outcomes = run.outcomes[system.name]
        parts = run.parts.get(system.name)
        models = dict.fromkeys(outcome.model for outcome in outcomes if outcome.model)
        if len(models) < 2:
            answers.append(_answers_of(run.study, system, outcomes, parts))
            continue
        for model in models:
            of_model = attrs.evolve(system, name=f"{system.name} {model}")
            own = _of_one_model(outcomes, model)
            answers.append(_answers_of(run.study, of_model, own, parts))
    return answers


def digest_of_run(study: Study, parts: Parts | None) -> str:
    """Return the digest of a run of `study`, or of these parts of it; all pictures are read.

    Raise InvalidRequest if a file is not a picture, or if `study` has no such parts.
    """
    digests = digests_of(study)
    if parts is None:
        return study.digest(digests)
    return digest_of_parts(study.part(number, parts.of).digest(digests) for number in parts.present)


def _of_one_model(outcomes: Sequence[PairOutcome], model: str) -> list[PairOutcome]:
    """Return the outcomes; those of another model as not asked."""
    return [outcome if outcome.model in (None, model) else _NOT_ASKED for outcome in outcomes]


def _answers_of(
    study: StoredStudy, system: StoredSystem, outcomes: Sequence[PairOutcome], parts: Parts | None
) -> Answers:
    """Return the answers of a system, and what is known of it."""
    models = {outcome.model for outcome in outcomes if outcome.model}
    # Without a decision, or with an inconclusive one, two faces were not compared.
    not_acquired = (None, Decision.INCONCLUSIVE)
    price = system.price
    return Answers.of(
        name=system.name,
        rule=ThresholdRule(system.settings["rule"]),
        scores=np.array([outcome.score for outcome in outcomes], np.float64),
        decisions=np.array([_decision_code(outcome) for outcome in outcomes], np.int8),
        acquired=np.array([outcome.decision not in not_acquired for outcome in outcomes]),
        answered=np.array([outcome.state is PairState.ANSWERED for outcome in outcomes]),
        errors=_errors_of(outcomes),
        elapsed_s=np.array([outcome.elapsed_s for outcome in outcomes], np.float64),
        billed=np.array([BILLED.index(each.billed or Charged.NO) for each in outcomes], np.int8),
        **study.columns(),
        parts=parts,
        scale=system.scale,
        threshold=system.settings["threshold"],
        backend=system.settings["backend"],
        model=models.pop() if len(models) == 1 else None,
        environment=system.answered_from,
        price=None if price is None else float(price.amount),
        currency=None if price is None else price.currency,
    )


def _decision_code(outcome: PairOutcome) -> int:
    return NO_DECISION if outcome.decision is None else DECISIONS.index(outcome.decision)


def _errors_of(outcomes: Sequence[PairOutcome]) -> pd.Categorical:
    """Return the reason for each missing answer; None for a pair that was answered."""
    reasons: list[str | None] = []
    for outcome in outcomes:
        if outcome.state in _REASONS:
            reasons.append(outcome.error or _REASONS[outcome.state])
        else:
            reasons.append(None)
    distinct = dict.fromkeys(reason for reason in reasons if reason is not None)
    return pd.Categorical(reasons, list(distinct))
