"""A run of a test set: every system is asked about every pair, once, whatever happens meanwhile."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

import attrs
import numpy as np

from facematch_core._basics import Clock, SystemClock
from facematch_core.comparison.model import (
    BILLED,
    DECISIONS,
    NO_DECISION,
    NOT_ASKED,
    Answers,
    ScoreTable,
    as_json,
)
from facematch_core.comparison.study import Study
from facematch_core.errors import FaceMatchError, InvalidImage, InvalidRequest, Unsupported
from facematch_core.images import Image
from facematch_core.models import (
    Charged,
    Decision,
    Environment,
    Operation,
    Retention,
    ThresholdRule,
)
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
from .schema import (
    AnswerRow,
    PairState,
    Progress,
    StoredStudy,
    StoredSystem,
    content_of,
)
from .worker import Hook, OnEnd, OpenSystem, Worker

if TYPE_CHECKING:
    import pyarrow as pa

    from facematch_core.comparison.stats.sequential import Looks

#: Opens a system. Called with ``on_event``, which it hands to the `FaceVerifier`:
#: ``functools.partial(open_verifier, profile="a")`` does.
Open: TypeAlias = Callable[..., Any]

#: Faults of a test set that are listed; more are counted.
_LISTED: Final = 50

#: How long, in seconds, a look waits for pairs that other processes have, and between two glances.
_PATIENCE_S: Final = 60.0
_GLANCE_S: Final = 0.2


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
    """How one system stands after a run.

    Attributes:
        name: Its name.
        progress: How its pairs stand, over all runs and processes.
        asked: Pairs that came to an end in this run.
        error: What ended it before all pairs were asked; None if nothing did.
    """

    name: str
    progress: Progress
    asked: int
    error: FaceMatchError | None


@attrs.frozen(kw_only=True)
class LookSummary:
    """What one look came to.

    Attributes:
        number: From 1 on.
        pairs: How many pairs every system had ended by then.
        stop: Whether it ended the run.
        sentences: What it says of each two systems.
    """

    number: int
    pairs: int
    stop: bool
    sentences: tuple[str, ...]


@attrs.frozen(kw_only=True)
class RunSummary:
    """What a run came to.

    Attributes:
        study: As the run database has it.
        systems: In the order in which they were named.
        was_stopped: Whether somebody stopped it.
        looks: Those that were made so far; empty if none were declared.
        saved: Currency to what the pairs that a look made needless would have cost, over all
            systems; empty unless a look ended the run early.
    """

    study: StoredStudy
    systems: tuple[SystemSummary, ...]
    was_stopped: bool
    looks: tuple[LookSummary, ...] = ()
    saved: Mapping[str, Decimal] = attrs.field(factory=dict)

    @property
    def is_decided(self) -> bool:
        """Whether a look ended the run early: what was not asked by then is needless."""
        return _has_decided(self.looks, self.study)

    @property
    def is_complete(self) -> bool:
        """Whether no system has a pair left to be asked, or a look made what is left needless."""
        return self.is_decided or not any(one.progress.left for one in self.systems)

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
        database: Where what happens is written down; its owner closes it.
        name: What the test set is called; None for its own name.
        keep: Names of systems whose vendor is asked to keep each call as a record, so that a lost
            answer can be looked for.
        prices: Name of a system to its price; what is left out is what its budget counts by.
        looks: When to look whether the systems differ beyond chance already, so that the rest need
            not be paid for; None to ask every pair. They are declared once for a test set: pairs
            are then asked in a random order that is fixed with them.
        required_fmr: The FMR that systems are compared at, 0-1, for `looks`.
        clock: Time, for tests.

    Attributes:
        stored: The test set, as the run database has it.
        systems: With what the run database has of them, in the order in which they were named.

    Raises:
        InvalidRequest: a picture cannot be read; another test set has this name; a system was asked
            with other settings before, is a failover, or is named and not there; looks were
            declared differently before.
        FaceMatchError: a system cannot be opened, or cannot compare two faces.
        ConfigurationError: the run database failed, or is damaged.
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
        looks: Looks | None = None,
        required_fmr: float = 1e-3,
        clock: Clock | None = None,
    ) -> None:
        self._study, self._database = study, database
        self._looks, self._required_fmr = looks, required_fmr
        self._clock = clock or SystemClock()
        self._digests = _digests_of(study)
        declared = None
        if looks is not None:
            if len(systems) < 2:
                raise InvalidRequest("Looks compare systems: name at least two.")
            declared = {
                **{key: _plain(value) for key, value in attrs.asdict(looks).items()},
                "required_fmr": required_fmr,
                "systems": sorted(systems),
                "seed": secrets.token_hex(8),
            }
        opened = _open_systems(systems, database, frozenset(keep), prices or {})
        try:
            self.stored = database.enter_study(
                StoredStudy(
                    digest=study.digest(self._digests),
                    name=name or study.name,
                    pairs=len(study.pairs),
                    made_at=self._clock.now(),
                    content=content_of(study),
                    looks=declared,
                )
            )
            places = None if declared is None else _places(self.stored)
            self.systems: tuple[tuple[OpenSystem, StoredSystem], ...] = tuple(
                (one, database.enter_system(self.stored, stored, places)) for one, stored in opened
            )
            for worker in self._workers(lambda: False, _nothing):
                worker.recover()
                database.release_failed(worker.stored.number, self._clock.now())
            self.progress()
        except BaseException:
            for one, _ in opened:
                one.verifier.close()
            raise

    def progress(self) -> dict[str, Progress]:
        """How far each system is now; `Progress.left` is what a run would ask, without a look."""
        return {one.name: self._database.progress(one.number) for _, one in self.systems}

    @property
    def is_decided(self) -> bool:
        """Whether a look has ended the run early already: then a start asks nothing more."""
        return _has_decided(self._made_looks(), self.stored)

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
        vendor's records, or stays listed as unresolved; it is not asked again. With looks, all
        systems are brought to the share of each, which then says whether to go on.

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

        team = self._workers(is_stopped, progress or _nothing)
        given = {} if embeddings is None else self._given(embeddings, team)
        shares = () if self._looks is None else self._looks.shares
        for number in range(1, len(shares) + 1):
            below = _pairs_of(self.stored, number)
            made = self._made_look(number)
            if made is None:
                self._ask(team, workers, given, below, over)
                if any(one.error for one in team) or is_stopped():
                    break
                made = self._look(number, below, is_stopped)
            if made is None:
                break
            if _has_decided([made], self.stored):
                # Nothing more is asked; what is unresolved may be resolved by now.
                self._ask(team, workers, given, 0, over)
                break
        else:
            self._ask(team, workers, given, None, over)
        return self._summary(team, was_stopped=is_stopped())

    def close(self) -> None:
        """Close the systems. May be called more than once."""
        for one, _ in self.systems:
            one.verifier.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _workers(self, stop: Callable[[], bool], on_end: OnEnd) -> list[Worker]:
        return [
            Worker(
                system,
                stored,
                study=self._study,
                digests=self._digests,
                database=self._database,
                stop=stop,
                on_end=on_end,
                clock=self._clock,
            )
            for system, stored in self.systems
        ]

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
        below: int | None,
        over: threading.Event,
    ) -> None:
        """All systems, each in a thread of its own, about pairs whose turn is before `below`."""
        failures: list[BaseException] = []
        reasons = self.why_not_embedded

        def work(worker: Worker) -> None:
            try:
                worker.look_back()
                if reasons[worker.stored.name] is None:
                    known = given.get(worker.stored.name)
                    if known is not None and known.privacy is not None:
                        self._database.note_privacy(worker.stored.number, known.privacy)
                    ask_by_embeddings(worker, threads, known, below)
                else:
                    worker.ask_all(threads, below)
                worker.look_back()
            except FaceMatchError as error:
                worker.end_with(error)
            except BaseException as error:  # noqa: BLE001 - raised below, after the others
                failures.append(error)

        threads_of_all = [threading.Thread(target=work, args=(one,)) for one in team]
        join_all(threads_of_all, over)
        for failure in failures:
            raise failure

    # --- Looks --------------------------------------------------------------------------------

    def _made_looks(self) -> tuple[LookSummary, ...]:
        shares = () if self._looks is None else self._looks.shares
        made = (self._made_look(number) for number in range(1, len(shares) + 1))
        return tuple(look for look in made if look is not None)

    def _made_look(self, number: int) -> LookSummary | None:
        """A look that was made, by whomever; None if it was not."""
        made = self._database.look(self.stored.digest, number)
        if made is None:
            return None
        return LookSummary(
            number=number,
            pairs=_pairs_of(self.stored, number),
            stop=bool(made["stop"]),
            sentences=tuple(map(str, made["sentences"])),
        )

    def _wait_for_all(self, below: int, is_stopped: Callable[[], bool]) -> bool:
        """Whether all pairs of a share have ended; others may still have some."""
        until = self._clock.monotonic() + _PATIENCE_S
        while True:
            numbers = [one.number for _, one in self.systems]
            if all(self._database.is_ended(number, below) for number in numbers):
                return True
            if is_stopped() or self._clock.monotonic() >= until:
                return False
            self._clock.sleep(_GLANCE_S)

    def _look(self, number: int, below: int, is_stopped: Callable[[], bool]) -> LookSummary | None:
        """Make a look, unless somebody else did; None while some of its pairs have not ended."""
        from facematch_core.comparison.stats.sequential import decide

        looks = self._looks
        if looks is None or not self._wait_for_all(below, is_stopped):
            return None
        progress = self.progress()
        changed = [name for name, one in progress.items() if len(one.models) > 1]
        results: list[dict[str, Any]] = []
        if changed:
            sentences = [
                f"{name} changed its model during the run: no look ends it." for name in changed
            ]
            made: dict[str, Any] = {"stop": False, "sentences": sentences, "results": results}
        else:
            names = sorted(one.name for _, one in self.systems)
            answers = _answers_below(self._database, self.stored, below, names)
            pairs = list(combinations(names, 2))
            # Of several differences each gets its share of the error probability (Bonferroni).
            each = attrs.evolve(looks, alpha=looks.alpha / len(pairs))
            earlier = (self._database.look(self.stored.digest, one) for one in range(1, number))
            before = [one for look in earlier if look is not None for one in look["results"]]
            for first, second in pairs:
                found = decide(
                    each,
                    number,
                    answers[first],
                    answers[second],
                    required_fmr=self._required_fmr,
                )
                results.append({"first": first, "second": second, **as_json(found)})
            decided = {(one["first"], one["second"]) for one in (*before, *results) if one["stop"]}
            made = {
                # What was shown at an earlier look stays shown.
                "stop": decided == set(pairs),
                "sentences": [one["sentence"] for one in results],
                "results": results,
            }
        # Who wrote it first is right, so that nobody goes on where somebody else stopped.
        self._database.write_look(self.stored.digest, number, made)
        return self._made_look(number)

    def _summary(self, team: Sequence[Worker], *, was_stopped: bool) -> RunSummary:
        progress = self.progress()
        looks = self._made_looks()
        saved: dict[str, Decimal] = defaultdict(Decimal)
        for _, stored in self.systems if _has_decided(looks, self.stored) else ():
            left = progress[stored.name].left
            if left and stored.price is not None and stored.currency is not None:
                saved[stored.currency] += stored.price * left
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
            looks=looks,
            saved=dict(saved),
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


# --- From the run database to answers -------------------------------------------------------------


def read_answers(
    database: RunDatabase, study: StoredStudy, systems: Sequence[str] = ()
) -> list[Answers]:
    """What systems answered in a test set, for `evaluate`; no picture is needed.

    Two models are two systems: if a vendor changed its model during the run, the answers of the
    first are those of the system, and those of each other one of ``alpha (model v2)``. Each names
    the others in `other_models`, and was not asked about their pairs.

    Args:
        database: Where.
        study: As `RunDatabase.study` finds it.
        systems: Names; empty for all, in the order in which they came.

    Raises:
        ConfigurationError: the run database failed, or is damaged.
    """
    found: list[Answers] = []
    for one in database.systems(study.digest):
        if not systems or one.name in systems:
            found += _answers(study, one, database.answers(one.number, study.pairs))
    return found


#: Why a pair is not answered, where no error says why.
_REASONS: Final = {
    PairState.FREE: NOT_ASKED,
    PairState.CLAIMED: NOT_ASKED,
    PairState.ASKED: "unresolved",
    PairState.UNRESOLVED: "unresolved",
    PairState.FAILED: "failed",
    PairState.NO_RESPONSE: "charged, no response",
}

#: Answers of these environments say nothing about a vendor: one of them speaks for all.
_FIRST: Final = (Environment.MOCK, Environment.SANDBOX, Environment.LOCAL)


def _answers(study: StoredStudy, system: StoredSystem, rows: Sequence[AnswerRow]) -> list[Answers]:
    """One for each model, the first first."""
    models = Counter(row.model for row in rows if row.state is PairState.ANSWERED and row.model)
    if len(models) < 2:
        return [_of_rows(study, system, system.name, rows)]
    # What names no model, a refused picture say, belongs to the one that answered before it.
    of_pair: dict[int, str | None] = {}
    current: str | None = None
    for row in sorted((one for one in rows if one.at), key=lambda one: str(one.at)):
        current = row.model or current
        of_pair[row.pair] = current
    first = next(model for model in of_pair.values() if model)
    found = []
    for model in dict.fromkeys((first, *models)):
        own = [_only(row, of_pair.get(row.pair) or first, model) for row in rows]
        name = system.name if model == first else f"{system.name} (model {model})"
        others = {other: count for other, count in models.items() if other != model}
        answers = _of_rows(study, system, name, own)
        found.append(attrs.evolve(answers, model=model, other_models=others))
    return found


def _only(row: AnswerRow, of: str, model: str) -> AnswerRow:
    """A row as this model has it: not asked, where another one was."""
    if of == model or row.state in (PairState.FREE, PairState.CLAIMED):
        return row
    return attrs.evolve(
        row,
        state=PairState.FREE,
        decision=None,
        score=None,
        elapsed_s=None,
        billed=None,
        model=None,
        error=None,
    )


def _of_rows(
    study: StoredStudy, system: StoredSystem, name: str, rows: Sequence[AnswerRow]
) -> Answers:
    answered = np.array([row.state is PairState.ANSWERED for row in rows], dtype=np.bool_)
    decisions = np.array(
        [
            NO_DECISION
            if row.state is not PairState.ANSWERED or row.decision is None
            else DECISIONS.index(row.decision)
            for row in rows
        ],
        dtype=np.int8,
    )
    without_faces = (NO_DECISION, DECISIONS.index(Decision.INCONCLUSIVE))
    table = ScoreTable(
        name=name,
        rule=ThresholdRule(system.settings["rule"]),
        scores=np.array(
            [np.nan if row.score is None else row.score for row in rows], dtype=np.float64
        ),
        decisions=decisions,
        acquired=~np.isin(decisions, without_faces),
        answered=answered,
        scale=system.scale,
        threshold=system.settings["threshold"],
        groups=study.groups(),
        **study.columns(),
    )
    said = [row for row in rows if row.state is PairState.ANSWERED]
    found = {row.environment for row in said if row.environment}
    where = next((one for one in _FIRST if one in found), Environment.PRODUCTION)
    reasons = (row.error or _REASONS[row.state] for row in rows if row.state in _REASONS)
    return Answers(
        table=table,
        elapsed_s=np.array(
            [np.nan if row.elapsed_s is None else row.elapsed_s for row in rows], dtype=np.float64
        ),
        billed=np.array([BILLED.index(row.billed or Charged.NO) for row in rows], dtype=np.int8),
        not_answered=dict(Counter(reasons)),
        backend=_the_one(row.backend for row in said),
        model=_the_one(row.model for row in said),
        environment=where if found else None,
        price=None if system.price is None else float(system.price),
        currency=system.currency,
        privacy=str(system.settings["privacy"]),
    )


def _the_one(said: Any) -> str | None:
    values = {one for one in said if one}
    return values.pop() if len(values) == 1 else None


def _answers_below(
    database: RunDatabase, study: StoredStudy, below: int, names: Sequence[str]
) -> dict[str, Answers]:
    """Answers to the pairs whose turn is before `below`; the others count as not asked."""

    def seen(row: AnswerRow) -> AnswerRow:
        if row.place < below:
            return row
        return attrs.evolve(
            row, state=PairState.FREE, error=None, billed=None, elapsed_s=None, score=None
        )

    return {
        one.name: _of_rows(
            study,
            one,
            one.name,
            [seen(row) for row in database.answers(one.number, study.pairs)],
        )
        for one in database.systems(study.digest)
        if one.name in names
    }


# --- Looks ----------------------------------------------------------------------------------------


def _has_decided(looks: Sequence[LookSummary], study: StoredStudy) -> bool:
    """Whether one ended the run early; after the last one nothing is left to be saved."""
    return any(look.stop and look.pairs < study.pairs for look in looks)


def _pairs_of(study: StoredStudy, number: int) -> int:
    """How many pairs look `number` sees."""
    shares = (study.looks or {})["shares"]
    return study.pairs if number == len(shares) else round(shares[number - 1] * study.pairs)


def _places(study: StoredStudy) -> list[int]:
    """The turn of each pair: random by the stored seed, mated and non-mated pairs interleaved.

    Every look then sees a fair sample with as many of either kind as the whole. By SHA-256, which
    is the same in every version of every library.
    """
    seed, mated = str((study.looks or {})["seed"]), study.content["mated"]
    keys: list[tuple[float, bytes, int]] = []
    for kind in (0, 1):
        pairs = [pair for pair, is_mated in enumerate(mated) if is_mated == kind]
        drawn = [(hashlib.sha256(f"{seed} {pair}".encode()).digest(), pair) for pair in pairs]
        keys += [((at + 0.5) / len(pairs), *one) for at, one in enumerate(sorted(drawn))]
    places = [0] * study.pairs
    for place, (_, _, pair) in enumerate(sorted(keys)):
        places[pair] = place
    return places


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


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
