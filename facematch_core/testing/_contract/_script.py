"""What the double does with each call of a series, in turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from facematch_core import CallEvent, EventKind
from facematch_core.testing._situations import Situation

from ._bench import MIDDLE, Bench


class Script:
    """The event hook of a verifier: prepares the double anew as each call begins.

    For calls made one after another: between two of them nothing is under way.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._left: Iterator[Situation] = iter(())
        self._problem: Exception | None = None

    def play(self, situations: Iterable[Situation]) -> None:
        """Begin anew with `situations`, one per call; SCORE is told the middle of the scale."""
        self._left = iter(situations)

    def __call__(self, event: CallEvent) -> None:
        if event.kind is not EventKind.STARTED:
            return
        try:
            situation = next(self._left)
            score = MIDDLE if situation is Situation.SCORE else None
            self._bench.double.prepare(situation, score=score)
        except Exception as error:  # noqa: BLE001 - a verifier logs it and goes on: kept for `check`
            self._problem = error

    def check(self) -> None:
        """Raise what kept the double from being prepared."""
        if self._problem is not None:
            raise self._problem
