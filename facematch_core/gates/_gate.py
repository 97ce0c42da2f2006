"""What stands before the calls of one verifier, and learns what became of each."""

from __future__ import annotations

import abc
import logging
from collections.abc import Callable, Iterable
from typing import TypeAlias

import attrs

from facematch_core._enums import Billed, Environment
from facematch_core._reconcile import Attempt
from facematch_core._rules import Answer
from facematch_core.errors import FaceMatchError, OutcomeUnknown

log = logging.getLogger("facematch")


@attrs.frozen(kw_only=True)
class Passage:
    """One try of one call, just before it is made.

    Attributes:
        attempt: The call; its id is the same in every try.
        number: 1 for the first try.
        paid: Whether its backend declares that the operation costs money.
        environment: Where the backend is set to answer from.
        until: When the caller's deadline ends, on the verifier's monotonic clock; None for never.
    """

    attempt: Attempt
    number: int
    paid: bool
    environment: Environment
    until: float | None


@attrs.frozen(kw_only=True)
class Ending:
    """What became of one try.

    Attributes:
        billed: Whether it was charged; UNKNOWN also if it was broken off after the first byte.
        sent: Whether a byte may have left.
        environment: Where the answer came from; None if nothing tells.
        error: What kept it from a result; None if one came. Another exception than ours (Ctrl-C,
            say) is None, too, with `answered` False.
        answered: Whether there is a result.
        refused: Whether a later gate refused it: the backend was not asked.
    """

    billed: Billed
    sent: bool
    environment: Environment | None = None
    error: FaceMatchError | None = None
    answered: bool = False
    refused: bool = False

    @classmethod
    def of(cls, answer: Answer) -> Ending:
        """There is a result."""
        return cls(billed=answer.billed, sent=True, environment=answer.environment, answered=True)

    @classmethod
    def of_error(cls, error: BaseException, *, sent: bool) -> Ending:
        """There is none."""
        if not isinstance(error, FaceMatchError):
            return cls(billed=Billed.UNKNOWN if sent else Billed.NO, sent=sent)
        billed = getattr(error, "billed", Billed.NO)
        return cls(
            billed=billed,
            sent=sent or isinstance(error, OutcomeUnknown),
            environment=getattr(error, "environment", None),
            error=error,
        )


#: To be called once, with what became of the try.
Leave: TypeAlias = Callable[[Ending], None]


class Gate(abc.ABC):
    """One thing that may stop, delay or count a call. Safe across threads and after a fork."""

    @abc.abstractmethod
    def enter(self, passage: Passage) -> Leave:
        """Let a try through, perhaps after waiting, or refuse it.

        Raises:
            FaceMatchError: it is refused; nothing was sent, and nothing is reserved any more.
        """

    def close(self) -> None:  # noqa: B027 - most gates hold nothing
        """Give back what the gate holds. May be called more than once."""


def enter_all(gates: Iterable[Gate], passage: Passage) -> Leave:
    """Enter one gate after the other; if one refuses, those before it are left again."""
    entered: list[Leave] = []
    try:
        for gate in gates:
            entered.append(gate.enter(passage))  # noqa: PERF401 - what was entered is left again
    except BaseException as error:
        _leave(entered, attrs.evolve(Ending.of_error(error, sent=False), refused=True))
        raise
    return lambda ending: _leave(entered, ending)


def _leave(entered: list[Leave], ending: Ending) -> None:
    for leave in reversed(entered):
        try:
            leave(ending)
        except Exception as error:  # noqa: BLE001 - a paid result must survive a broken gate
            log.error("A gate failed to note an outcome: %s.", type(error).__name__)  # noqa: TRY400 - a traceback may show what it held
