"""A run of a study: every contender is asked about every pair, once, whatever happens meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import attrs

from facematch_core._basics import Clock, SystemClock
from facematch_core.comparison.study import Study
from facematch_core.errors import FaceMatchError, InvalidRequest
from facematch_core.verifier import MAX_WORKERS

from ._contender import Open, Price, open_contenders
from ._content import digests_of, stored
from ._embedding import EmbedderOf, ask_by_embeddings, can_embed, why_not_embedded
from ._pool import ask_pairs
from ._records import PairState, Standing, StoredStudy
from ._turn import Progress, Turn

if TYPE_CHECKING:
    from ._journal import Journal


@attrs.frozen(kw_only=True)
class ContenderSummary:
    """How one contender stands after a run.

    Attributes:
        name: Its name.
        standing: How its pairs stand, over all runs and processes.
        asked: Pairs that came to an end in this run.
        error: What ended its part before all pairs were asked; None if nothing did.
    """

    name: str
    standing: Standing
    asked: int
    error: FaceMatchError | None


@attrs.frozen(kw_only=True)
class RunSummary:
    """What a run came to.

    Attributes:
        study: As the journal has it.
        contenders: In the order in which they were named.
        was_stopped: Whether somebody stopped it.
    """

    study: StoredStudy
    contenders: tuple[ContenderSummary, ...]
    was_stopped: bool

    @property
    def is_complete(self) -> bool:
        """Whether every pair is answered by every contender."""
        answered = (one.standing.states.get(PairState.ANSWERED, 0) for one in self.contenders)
        return all(count == self.study.pairs for count in answered)


class StudyRun:
    """A study with its contenders, opened, written down, and nothing sent. A context manager.

    Args:
        study: The pairs.
        contenders: Name of each to what opens it.
        journal: Where what happens is written down; its owner closes it.
        name: What the study is called; None for its own name.
        keep: Names of contenders whose vendor is asked to keep each call as a record, so that a
            lost answer can be looked for.
        prices: Name of a contender to its price; what is left out is what its budget counts by.
        clock: Time, for tests.

    Attributes:
        stored: The study, as the journal has it.
        contenders: With their numbers in the journal, in the order in which they were named.

    Raises:
        InvalidRequest: a picture cannot be read; another study has this name; a contender was
            asked with other settings before, is a failover, or is named and not there.
        FaceMatchError: a contender cannot be opened, or cannot compare two faces.
        ConfigurationError: the journal failed.
    """

    def __init__(
        self,
        study: Study,
        contenders: Mapping[str, Open],
        journal: Journal,
        *,
        name: str | None = None,
        keep: Collection[str] = (),
        prices: Mapping[str, Price] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._study, self._journal = study, journal
        self._clock = clock or SystemClock()
        self._digests: dict[Path, str] = digests_of(study)
        opened = open_contenders(contenders, journal, keep=frozenset(keep), prices=prices or {})
        try:
            self.stored = journal.enter_study(
                stored(study, self._digests, name or study.name, self._clock.now())
            )
            self.contenders = tuple(
                (one, journal.enter_contender(self.stored, one.stored())) for one in opened
            )
            for turn in self._turns(lambda: False, _nothing):
                turn.recover()
                journal.release_failed(turn.stored.number, self._clock.now())
        except BaseException:
            for one in opened:
                one.verifier.close()
            raise

    def standings(self) -> dict[str, Standing]:
        """How each contender stands now; `Standing.left` is what a run would ask."""
        return {one.name: self._journal.standing(one.number) for _, one in self.contenders}

    @property
    def why_not_embedded(self) -> dict[str, str | None]:
        """Name of each contender to why others cannot embed its pictures; None if they can."""
        return {one.name: why_not_embedded(one) for one, _ in self.contenders}

    def run(
        self,
        *,
        workers: int = 4,
        progress: Progress | None = None,
        stop: Callable[[], bool] | None = None,
        embedders: Mapping[str, EmbedderOf] | None = None,
    ) -> RunSummary:
        """Ask every contender about every pair that is left, each with threads of its own.

        A slow vendor does not hold up a fast one, and an error that would meet every further pair
        ends that contender's part alone. A pair whose call may have been charged is looked for in
        the vendor's records, or stays listed as unknown; it is not asked again.

        Args:
            workers: Calls at a time of each contender, 1-256.
            progress: Called with a contender's name and a state when a pair has come to an end, in
                any thread; must not raise.
            stop: Whether to begin nothing more; what is under way is finished.
            embedders: Name of a contender to who computes its embeddings, an `Embedder` or a
                `Cluster`; for engines of one's own only, see `why_not_embedded`.

        Raises:
            InvalidRequest: `workers` is out of range, or `embedders` names a contender that has
                no embeddings.
            KeyboardInterrupt: after what was under way is finished.
        """
        if type(workers) is not int or not 1 <= workers <= MAX_WORKERS:
            raise InvalidRequest(f"workers must be a whole number from 1 to {MAX_WORKERS}.")
        embedders = embedders or {}
        for name in embedders:
            why = self.why_not_embedded.get(name, "there is none of this name")
            if why is not None:
                raise InvalidRequest(
                    f"{name[:60]!r} is no contender whose pictures are embedded: {why}."
                )
        over = threading.Event()

        def is_stopped() -> bool:
            return over.is_set() or (stop is not None and stop())

        turns = self._turns(is_stopped, progress or _nothing)
        failures: list[BaseException] = []
        threads = [
            threading.Thread(
                target=_take, args=(turn, workers, embedders.get(turn.stored.name), failures)
            )
            for turn in turns
        ]
        _carry_out(threads, over)
        for failure in failures:
            raise failure
        return self._summary(turns, was_stopped=is_stopped())

    def close(self) -> None:
        """Close the contenders. May be called more than once."""
        for one, _ in self.contenders:
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

    def _turns(self, stop: Callable[[], bool], progress: Progress) -> list[Turn]:
        return [
            Turn(
                contender,
                row,
                study=self._study,
                digests=self._digests,
                journal=self._journal,
                stop=stop,
                progress=progress,
                clock=self._clock,
            )
            for contender, row in self.contenders
        ]

    def _summary(self, turns: list[Turn], *, was_stopped: bool) -> RunSummary:
        standings = self.standings()
        return RunSummary(
            study=self.stored,
            contenders=tuple(
                ContenderSummary(
                    name=turn.stored.name,
                    standing=standings[turn.stored.name],
                    asked=turn.asked,
                    error=turn.error,
                )
                for turn in turns
            ),
            was_stopped=was_stopped,
        )


def run_study(
    study: Study,
    contenders: Mapping[str, Open],
    journal: Journal,
    *,
    workers: int = 4,
    progress: Progress | None = None,
    **more: Any,
) -> RunSummary:
    """Ask every contender about every pair of a study, once; go on where an earlier start ended.

    Args:
        study: The pairs.
        contenders: Name of each to what opens it with ``on_event``, for example
            ``partial(open_verifier, profile="didit")``.
        journal: Where what happens is written down.
        workers: Calls at a time of each contender, 1-256.
        progress: As `StudyRun.run` takes it.
        **more: Further arguments of `StudyRun`.

    Raises:
        FaceMatchError: as `StudyRun` and `StudyRun.run`; what ends one contender's part is in the
            summary.
    """
    with StudyRun(study, contenders, journal, **more) as run:
        return run.run(workers=workers, progress=progress)


def _take(
    turn: Turn, workers: int, elsewhere: EmbedderOf | None, failures: list[BaseException]
) -> None:
    """One contender's part, in a thread of its own."""
    try:
        turn.look_back()
        if can_embed(turn.contender):
            ask_by_embeddings(turn, workers, elsewhere)
        else:
            ask_pairs(turn, workers)
        turn.look_back()
    except FaceMatchError as error:
        turn.end_with(error)
    except BaseException as error:  # noqa: BLE001 - raised by the caller of the run, after the others
        failures.append(error)


def _carry_out(threads: Sequence[threading.Thread], over: threading.Event) -> None:
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
