"""What became of a batch, in numbers."""

from __future__ import annotations

import collections
import signal
import statistics
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from facematch_core._enums import Billed
from facematch_core.errors import FATAL

from . import _exit
from ._text import clean, console, counted

if TYPE_CHECKING:
    from facematch_core._many import PairOutcome
    from facematch_core.errors import FaceMatchError


@attrs.define(kw_only=True)
class Summary:
    """Counts over the outcomes of a batch.

    Attributes:
        pairs: How many were asked for.
        decisions, errors: How many per decision and per class of error.
        billed: How many calls per what is known of their charge.
        seconds: What each answer took.
        first: Class of error to the line and the error where it came first.
        fatal: The error that ended the batch, or None.
        signal: The signal that ended it; 0 if none did.
        code: The exit code.
    """

    pairs: int
    decisions: collections.Counter[str] = attrs.field(factory=collections.Counter)
    errors: collections.Counter[str] = attrs.field(factory=collections.Counter)
    billed: collections.Counter[Billed] = attrs.field(factory=collections.Counter)
    seconds: list[float] = attrs.field(factory=list)
    first: dict[str, tuple[int, FaceMatchError]] = attrs.field(factory=dict)
    fatal: FaceMatchError | None = None
    signal: int = 0
    code: int = _exit.OK

    def add(self, line: int, outcome: PairOutcome) -> None:
        """Count one outcome.

        Args:
            line: Where its pair stands in the file.
            outcome: The outcome.
        """
        if outcome.result is not None:
            self.decisions[outcome.result.decision.value] += 1
            self.billed[outcome.result.billed] += 1
            self.seconds.append(outcome.result.elapsed_s)
        if outcome.error is not None:
            kind = type(outcome.error).__name__
            self.errors[kind] += 1
            self.billed[getattr(outcome.error, "billed", Billed.NO)] += 1
            self.first.setdefault(kind, (line, outcome.error))
            self.code = max(self.code, _exit.code_of(outcome.error))
            if isinstance(outcome.error, FATAL):
                self.fatal = self.fatal or outcome.error

    @property
    def answered(self) -> int:
        """Pairs with a result."""
        return self.decisions.total()

    @property
    def not_asked(self) -> int:
        """Pairs that the batch did not come to."""
        return self.pairs - self.answered - self.errors.total()

    def as_document(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "pairs": self.pairs,
            "answered": self.answered,
            "not_asked": self.not_asked,
            "decisions": dict(self.decisions),
            "errors": dict(self.errors),
            "charged": self.billed[Billed.YES],
            "charge_unknown": self.billed[Billed.UNKNOWN],
            "median_s": statistics.median(self.seconds) if self.seconds else None,
            "stopped_by": self._stopped_by(),
        }

    def _stopped_by(self) -> str | dict[str, Any] | None:
        if self.signal:
            return signal.Signals(self.signal).name
        return None if self.fatal is None else _exit.as_document(self.fatal)

    def show(self, target: Path) -> None:
        """Print it to stdout."""
        to = console()
        for words in self._lines(target):
            to.out(clean(words))

    def show_errors(self, target: Path) -> None:
        """Print to stderr what went wrong: each class of error where it came first."""
        err = console(err=True)
        for kind, (line, error) in self.first.items():
            others = self.errors[kind] - 1
            again = f" (and {others} more {kind}: see {target})" if others else ""
            err.out(clean(f"error: line {line}: {_exit.sentence(error)}{again}"))
        if self.fatal is not None:
            err.out(f"stopped early: {type(self.fatal).__name__} would meet every further pair")

    def _lines(self, target: Path) -> Iterator[str]:
        yield (
            f"{counted(self.pairs, 'pair')}: {self.answered} answered, {self.errors.total()} failed"
            + (f", {self.not_asked} not asked" if self.not_asked else "")
        )
        if self.decisions:
            yield f"  {_listed(self.decisions.most_common())}"
        if self.errors:
            yield f"  {_listed(self.errors.most_common())}"
        charges = [("charged", self.billed[Billed.YES])]
        if self.billed[Billed.UNKNOWN]:
            charges.append(("perhaps charged", self.billed[Billed.UNKNOWN]))
        yield f"  {_listed(charges)}"
        if self.seconds:
            yield f"  {statistics.median(self.seconds):.3f} s in the median"
        yield f"  written to {target}"


def _listed(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts)
