"""Run a test set: ask every system about every pair once."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeAlias

import attrs

from facematch_comparison.study import Study
from facematch_core.base.deadline import Clock, SystemClock
from facematch_core.base.tables import refuse
from facematch_core.errors import FaceMatchError, InvalidImage, InvalidRequest
from facematch_core.images.image import Image
from facematch_core.models import Retention
from facematch_core.verifier.verifier import MAX_WORKERS

from .database import RunDatabase
from .local import ask_locally, makes_embeddings
from .recover import finalize_budgets
from .stored import Price, StoredStudy
from .system import OnEnd, RunSystem

#: A callable that opens a system, such as ``functools.partial(open_verifier, profile="a")``. It is
#: called with ``on_event`` and must pass it to the `FaceVerifier`.
SystemOpener: TypeAlias = Callable[..., Any]


@attrs.frozen(kw_only=True)
class RunSummary:
    """The result of a run, with the systems in the order given."""

    study: StoredStudy
    systems: tuple[RunSystem, ...]
    was_stopped: bool

    @property
    def is_complete(self) -> bool:
        """Whether no system has pairs left to ask."""
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
        database: The run database, locked until `close`, which does not close it.
        name: Name to store the test set under; defaults to `study.name`.
        keep: Names of systems whose vendor is asked to keep a record of each call, so that a lost
            answer can be found again.
        prices: Price of a call by system; defaults to the price in the system's budget.
        clock: Fake clock, for tests.

    Attributes:
        stored: The test set in the run database.
        systems: The opened systems, in the order given.

    Raises:
        InvalidRequest: a picture cannot be read; another test set has this name; a system ran with
            other settings before or is a failover; `keep` or `prices` names an unknown system.
        FaceMatchError: a system cannot be opened, or cannot compare two faces.
        ConfigurationError: the run database failed, is damaged, or is locked by another process.
    """

    def __init__(
        self,
        study: Study,
        systems: Mapping[str, SystemOpener],
        database: RunDatabase,
        *,
        name: str | None = None,
        keep: Collection[str] = (),
        prices: Mapping[str, Price] | None = None,
        clock: Clock | None = None,
    ) -> None:
        clock, prices, self._database = clock or SystemClock(), prices or {}, database
        if not systems:
            raise InvalidRequest("A comparison needs at least one system.")
        for what, names in (("keep", keep), ("price", prices)):
            for key in names:
                if key not in systems:
                    raise InvalidRequest(
                        f"{what}: unknown system {key[:60]!r}. The systems of this run: "
                        f"{', '.join(systems)}."
                    )
        with contextlib.ExitStack() as undo:
            # Write nothing unless all systems can be asked.
            digests = digests_of(study)
            open_system = partial(
                RunSystem, database=database, study=study, digests=digests, clock=clock, undo=undo
            )
            self.systems = tuple(
                open_system(
                    each,
                    opener,
                    retention=Retention.KEEP if each in keep else Retention.MINIMAL,
                    price=prices.get(each),
                )
                for each, opener in systems.items()
            )
            database.lock()
            undo.callback(database.unlock)
            now, digest = clock.now(), study.digest(digests)
            self.stored = database.enter_study(StoredStudy.of_study(study, digest, name, now))
            for system in self.systems:
                system.stored = database.enter_system(self.stored, system.stored)
            for system in self.systems:
                finalize = partial(finalize_budgets, system.stores, now=now)
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
        """Ask every system about its remaining pairs. Each system has its own threads.

        Pairs are asked in random order, so an interrupted run has asked a random sample. A fatal
        error stops only its own system. A pair whose call may have been charged is never retried
        automatically: it is searched for in the vendor's records, or stays unresolved.

        Args:
            workers: Concurrent calls per system, 1-256.
            progress: Called with the system's name and the state of each finished pair, from any
                thread; must not raise.
            stop: Returns whether to start no more calls; calls in flight are finished.

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

        def work(system: RunSystem) -> None:
            try:
                system.begin(turns, stop=is_stopped, on_end=on_end)
                ask = ask_locally if makes_embeddings(system) else RunSystem.ask_all
                ask(system, workers)
                system.look_back()
            except FaceMatchError as error:
                system.end_with(error)

        with ThreadPoolExecutor(len(self.systems), "facematch-run") as pool:
            try:
                futures = [pool.submit(work, system) for system in self.systems]
                wait(futures)
            except BaseException:
                # The pool waits for calls in flight, because they may be charged.
                over.set()
                raise
        for future in futures:
            future.result()
        for system in self.systems:
            system.count_pairs()
        return RunSummary(study=self.stored, systems=self.systems, was_stopped=is_stopped())

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
    refuse(study.name, faults)
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
    """Ask every system about every pair of a test set once; resume an earlier run.

    For arguments and errors see `StudyRun` and `StudyRun.run`. An error that stops only one system
    is in the summary. An example of an opener: ``partial(open_verifier, profile="didit")``.
    """
    with StudyRun(study, systems, database, **more) as run:
        return run.run(workers=workers, progress=progress)
