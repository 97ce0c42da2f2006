"""A run of a test set: every system is asked about every pair, once, whatever happens meanwhile."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

import attrs

from facematch_comparison.study import Study
from facematch_core.clock import Clock, SystemClock
from facematch_core.errors import FaceMatchError, InvalidImage, InvalidRequest, Unsupported
from facematch_core.images import Image
from facematch_core.models import Charged, Operation, Retention
from facematch_core.resilience import Budget
from facematch_core.verifier import MAX_WORKERS, FaceVerifier

from .embeddings import (
    Embeddings,
    ask_by_embeddings,
    check_embeddings,
    engine_of,
    read_embeddings,
    why_not_embedded,
)
from .journal import RunDatabase
from .recover import finalize_budgets, take_back
from .schema import PairState, Progress, StoredStudy, StoredSystem, content_of
from .worker import Hook, OnEnd, OpenSystem, Worker

if TYPE_CHECKING:
    import pyarrow as pa

#: Opens a system. Called with ``on_event``, which it hands to the `FaceVerifier`:
#: ``functools.partial(open_verifier, profile="a")`` does.
Open: TypeAlias = Callable[..., Any]

#: Faults of a test set that are listed; more are counted.
_LISTED: Final = 50


@attrs.frozen(kw_only=True)
class Price:
    """What one comparison costs.

    Attributes:
        amount: At least 0.
        currency: Three letters.
    """

    amount: Decimal
    currency: str


@attrs.frozen(kw_only=True)
class SystemSummary:
    """How far one system is after a run.

    Attributes:
        name: Its name.
        progress: How its pairs stand, over all runs.
        asked: Pairs that came to an end in this run.
        error: What ended it before all pairs were asked; None if nothing did.
    """

    name: str
    progress: Progress
    asked: int
    error: FaceMatchError | None


@attrs.frozen(kw_only=True)
class RunSummary:
    """What a run came to.

    Attributes:
        study: As the run database has it.
        systems: In the order in which they were named.
        was_stopped: Whether somebody stopped it.
    """

    study: StoredStudy
    systems: tuple[SystemSummary, ...]
    was_stopped: bool

    @property
    def is_complete(self) -> bool:
        """Whether no system has a pair left to be asked."""
        return not any(one.progress.left for one in self.systems)

    @property
    def changed_models(self) -> Mapping[str, Mapping[str, int]]:
        """Systems whose answers name several models: name to model to how many.

        Each model's answers are judged as a system of their own: see `read_answers`.
        """
        models = {one.name: one.progress.models for one in self.systems}
        return {name: counts for name, counts in models.items() if len(counts) > 1}


class StudyRun:
    """A test set with its systems, opened, written down, and nothing sent. A context manager.

    Args:
        study: The pairs.
        systems: Name of each to what opens it.
        database: Where what happens is written down, and nobody else writes until `close`. Its
            owner closes it.
        name: What the test set is called; None for its own name.
        keep: Names of systems whose vendor is asked to keep each call as a record, so that a lost
            answer can be looked for.
        prices: Name of a system to its price; what is left out is what its budget counts by.
        clock: Time, for tests.

    Attributes:
        stored: The test set, as the run database has it.
        systems: With what the run database has of them, in the order in which they were named.

    Raises:
        InvalidRequest: a picture cannot be read; another test set has this name; a system was asked
            with other settings before, is a failover, or is named and not there.
        FaceMatchError: a system cannot be opened, or cannot compare two faces.
        ConfigurationError: the run database failed, is damaged, or is held by another process.
    """

    def __init__(
        self,
        study: Study,
        systems: Mapping[str, Open],
        database: RunDatabase,
        *,
        name: str | None = None,
        keep: Collection[str] = (),
        prices: Mapping[str, Price] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._study, self._database = study, database
        self._clock = clock or SystemClock()
        with contextlib.ExitStack() as undo:
            database.hold()
            undo.callback(database.let_go)
            self._digests = _digests_of(study)
            opened = _open_systems(systems, database, frozenset(keep), prices or {})
            for one, _ in opened:
                undo.callback(one.verifier.close)
            self.stored = database.enter_study(
                StoredStudy(
                    digest=study.digest(self._digests),
                    name=name or study.name,
                    pairs=len(study.pairs),
                    made_at=self._clock.now(),
                    content=content_of(study),
                )
            )
            self.systems: tuple[tuple[OpenSystem, StoredSystem], ...] = tuple(
                (one, database.enter_system(self.stored, stored)) for one, stored in opened
            )
            for one, stored in self.systems:
                take_back(
                    database,
                    stored,
                    partial(
                        finalize_budgets, one.budgets, billed=Charged.NO, now=self._clock.now()
                    ),
                )
                database.set_free(stored.number, PairState.FAILED)
            self.progress()
            self._at_end = undo.pop_all()

    def progress(self) -> dict[str, Progress]:
        """How far each system is now; `Progress.left` is what a run would ask."""
        return {one.name: self._database.progress(one.number) for _, one in self.systems}

    @property
    def why_not_embedded(self) -> dict[str, str | None]:
        """Name of each system to why its pictures cannot be embedded; None if they can."""
        return {
            one.name: why_not_embedded(one.verifier.backend, one.verifier.policies)
            for one, _ in self.systems
        }

    def run(
        self,
        *,
        workers: int = 4,
        progress: OnEnd | None = None,
        stop: Callable[[], bool] | None = None,
        embeddings: Path | pa.Table | None = None,
    ) -> RunSummary:
        """Ask every system about every pair that is left, each with threads of its own.

        A slow vendor does not hold up a fast one, and an error that would meet every further pair
        ends that system alone. A pair whose call may have been charged is looked for in the
        vendor's records, or stays listed as unresolved; it is not asked again.

        Args:
            workers: Calls at a time of each system, 1-256.
            progress: Called with a system's name and a state when a pair has come to an end, in any
                thread; must not raise.
            stop: Whether to begin nothing more; what is under way is finished.
            embeddings: A Parquet file or table as `embed` makes them: the pictures of an engine of
                one's own are not looked at again.

        Raises:
            InvalidRequest: `workers` is out of range; `embeddings` are none, lack a picture of the
                test set, or no system is an engine that makes embeddings.
            ConfigurationError: `embeddings` are of another engine.
            KeyboardInterrupt: after what was under way is finished.
        """
        if type(workers) is not int or not 1 <= workers <= MAX_WORKERS:
            raise InvalidRequest(f"workers must be a whole number from 1 to {MAX_WORKERS}.")
        over = threading.Event()

        def is_stopped() -> bool:
            return over.is_set() or (stop is not None and stop())

        team = [
            Worker(
                system,
                stored,
                study=self._study,
                digests=self._digests,
                database=self._database,
                stop=is_stopped,
                on_end=progress or _nothing,
                clock=self._clock,
            )
            for system, stored in self.systems
        ]
        given = {} if embeddings is None else self._given(embeddings, team)
        self._ask(team, workers, given, over)
        return self._summary(team, was_stopped=is_stopped())

    def close(self) -> None:
        """Close the systems, and let go of the run database. May be called more than once."""
        self._at_end.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _given(self, source: Path | pa.Table, team: Sequence[Worker]) -> dict[str, Embeddings]:
        """The embeddings for each system that they are of."""
        reasons = self.why_not_embedded
        if all(why is not None for why in reasons.values()):
            said = "; ".join(f"{name[:60]}: {why}" for name, why in reasons.items())
            raise InvalidRequest(
                f"Embeddings are for engines of your own, and none of these is one ({said})."
            )
        given = read_embeddings(source)
        engines = [worker for worker in team if reasons[worker.stored.name] is None]
        if len(engines) > 1:
            # Of several engines it is that of one, at least.
            engines = [one for one in engines if engine_of(one) == given.engine] or engines
        for worker in engines:
            check_embeddings(given, worker)
        return {worker.stored.name: given for worker in engines}

    def _ask(
        self,
        team: Sequence[Worker],
        threads: int,
        given: Mapping[str, Embeddings],
        over: threading.Event,
    ) -> None:
        """All systems, each in a thread of its own."""
        failures: list[BaseException] = []
        reasons = self.why_not_embedded

        def work(worker: Worker) -> None:
            try:
                worker.look_back()
                if reasons[worker.stored.name] is None:
                    known = given.get(worker.stored.name)
                    if known is not None and known.privacy is not None:
                        self._database.note_privacy(worker.stored.number, known.privacy)
                    ask_by_embeddings(worker, threads, known)
                else:
                    worker.ask_all(threads)
                worker.look_back()
            except FaceMatchError as error:
                worker.end_with(error)
            except BaseException as error:  # noqa: BLE001 - raised below, after the others
                failures.append(error)

        threads_of_all = [threading.Thread(target=work, args=(one,)) for one in team]
        join_all(threads_of_all, over)
        for failure in failures:
            raise failure

    def _summary(self, team: Sequence[Worker], *, was_stopped: bool) -> RunSummary:
        progress = self.progress()
        return RunSummary(
            study=self.stored,
            systems=tuple(
                SystemSummary(
                    name=worker.stored.name,
                    progress=progress[worker.stored.name],
                    asked=worker.asked,
                    error=worker.error,
                )
                for worker in team
            ),
            was_stopped=was_stopped,
        )


def run_study(
    study: Study,
    systems: Mapping[str, Open],
    database: RunDatabase,
    *,
    workers: int = 4,
    progress: OnEnd | None = None,
    embeddings: Path | pa.Table | None = None,
    **more: Any,
) -> RunSummary:
    """Ask every system about every pair of a test set, once; go on where an earlier start ended.

    Args:
        study: The pairs.
        systems: Name of each to what opens it with ``on_event``, for example
            ``partial(open_verifier, profile="didit")``.
        database: Where what happens is written down.
        workers: Calls at a time of each system, 1-256.
        progress, embeddings: As `StudyRun.run` takes them.
        **more: Further arguments of `StudyRun`.

    Raises:
        FaceMatchError: as `StudyRun` and `StudyRun.run`; what ends one system alone is in the
            summary.
    """
    with StudyRun(study, systems, database, **more) as run:
        return run.run(workers=workers, progress=progress, embeddings=embeddings)


# --- Opening --------------------------------------------------------------------------------------


def _digests_of(study: Study) -> dict[Path, str]:
    """SHA-256, in hex, of the bytes of every picture.

    A file that is no picture would count against whoever is asked, as a face that was not found.

    Raises:
        InvalidRequest: some cannot be read, or are no whole pictures.
    """
    digests: dict[Path, str] = {}
    faults: list[str] = []
    for path in study.pictures:
        try:
            digests[path] = hashlib.sha256(Image.read(path).data).hexdigest()
        except InvalidImage as error:
            faults.append(error.message)
    if faults:
        count = "1 problem" if len(faults) == 1 else f"{len(faults)} problems"
        more = [f"... and {len(faults) - _LISTED} more"] if len(faults) > _LISTED else []
        listed = [f"{study.name} has {count}; nothing was sent:", *faults[:_LISTED], *more]
        raise InvalidRequest("\n  ".join(listed))
    return digests


def _open_systems(
    openers: Mapping[str, Open],
    database: RunDatabase,
    keep: frozenset[str],
    prices: Mapping[str, Price],
) -> list[tuple[OpenSystem, StoredSystem]]:
    """Every system, opened and able to compare; none stays open if one is not."""
    if not openers:
        raise InvalidRequest("A comparison needs at least one system.")
    for what, names in (("keep", keep), ("price", prices)):
        for name in names:
            if name not in openers:
                raise InvalidRequest(
                    f"{what} names {name[:60]!r}, which is no system; there are: "
                    f"{', '.join(openers)}."
                )
    opened: list[tuple[OpenSystem, StoredSystem]] = []
    verifiers: list[FaceVerifier] = []
    try:
        for name, opener in openers.items():
            hook = Hook(database)
            verifiers.append(_opened(name, opener, hook))
            system = OpenSystem(
                name=name,
                verifier=verifiers[-1],
                hook=hook,
                retention=Retention.KEEP if name in keep else Retention.MINIMAL,
            )
            _check_abilities(system)
            price = prices.get(name) or _price_of_budgets(system)
            stored = StoredSystem(
                name=name,
                settings=system.settings,
                price=None if price is None else price.amount,
                currency=None if price is None else price.currency,
            )
            opened.append((system, stored))
    except BaseException:
        for verifier in verifiers:
            verifier.close()
        raise
    return opened


def _opened(name: str, opener: Open, hook: Hook) -> FaceVerifier:
    verifier = opener(on_event=hook)
    if isinstance(verifier, FaceVerifier) and verifier.on_event is hook:
        return verifier
    closing = getattr(verifier, "close", None)
    if callable(closing):
        closing()
    if isinstance(verifier, FaceVerifier):
        raise InvalidRequest(
            f"The system {name[:60]!r} was opened without the on_event that it was given: nothing "
            "would be written down of its calls. Hand it to FaceVerifier."
        )
    raise InvalidRequest(
        f"The system {name[:60]!r} is a {type(verifier).__name__}: a comparison needs one backend "
        "under each name. Of a failover, name its members."
    )


def _check_abilities(system: OpenSystem) -> None:
    backend = system.verifier.backend
    for what, is_there in (
        (Operation.MATCH, Operation.MATCH in backend.capabilities.operations),
        (f"retention {system.retention}", system.retention in backend.capabilities.retention),
    ):
        if not is_there:
            raise Unsupported(
                f"The backend {backend.name} cannot be asked for {what}: leave "
                f"{system.name[:60]!r} out, or ask it otherwise. Nothing was sent.",
                backend=backend.name,
                what=str(what),
            )


def _price_of_budgets(system: OpenSystem) -> Price | None:
    """The price that a budget of the verifier counts by."""
    for policy in system.verifier.policies:
        counted = policy.price(Operation.MATCH) if isinstance(policy, Budget) else None
        if counted is not None:
            return Price(amount=counted[0], currency=counted[1])
    return None


def join_all(threads: Sequence[threading.Thread], over: threading.Event) -> None:
    """Start threads, and wait for them; after an error, or Ctrl-C, for those that have begun."""
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException:
        # What is under way may be paid for: it is waited for.
        over.set()
        for thread in threads:
            if thread.ident is not None:
                thread.join()
        raise


def _nothing(_name: str, _state: PairState) -> None:
    pass
