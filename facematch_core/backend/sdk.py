"""For plug-in authors: a vendor whose own library (an SDK) does the sending."""

from __future__ import annotations

import abc
import traceback
import typing
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, TypeAlias, TypeVar

import attrs

from facematch_core import errors, models
from facematch_core.base.cancellation import find_callers_exception
from facematch_core.base.masking import Secret, mask_error, muted
from facematch_core.models import Billing, Charged, LivenessResult, MatchResult

from .base import (
    RemoteBackend,
    accepted_billing,
    describe_fault,
    report_fault,
    unreadable_error,
)
from .calls import Call, LivenessCall, MatchCall, Request
from .session_types import SessionAnswer

__all__ = ["SdkBackend", "guarded_call"]

T = TypeVar("T")
R = TypeVar("R")
Translate: TypeAlias = Callable[[Exception], errors.VendorError | R | None] | None


@attrs.define(kw_only=True, eq=False, slots=False, repr=False, on_setattr=[])
class SdkBackend(RemoteBackend):
    """A vendor whose own library (an SDK) does the sending, through `guarded_call`.

    What remains to be written is `ask` and `parse`, and `translate` for the library's exceptions.

    Attributes:
        mute: Loggers of the library that are silent during a call, with all below them.
    """

    reports_sent: ClassVar[bool] = True
    mute: ClassVar[Sequence[str]] = ()

    @abc.abstractmethod
    def ask(self, call: Any) -> Any:
        """The library's answer to `call`: everything that one call asks, without retries."""

    @abc.abstractmethod
    def parse(self, call: Any, answer: Any) -> MatchResult | LivenessResult:
        """The result in the library's answer; any exception means that it cannot be read."""

    def translate(
        self, error: Exception
    ) -> errors.VendorError | MatchResult | LivenessResult | None:
        """What an exception of the library means; None for one that no document names.

        An error, or the result where the library raises an answer ("no face").
        """
        return None

    def match(self, call: MatchCall) -> MatchResult:
        return typing.cast(MatchResult, self._guard(call))

    def check_liveness(self, call: LivenessCall) -> LivenessResult:
        if models.Operation.LIVENESS not in self.capabilities.operations:
            return super().check_liveness(call)
        return typing.cast(LivenessResult, self._guard(call))

    def _guard(self, call: Call) -> MatchResult | LivenessResult:
        settings = [getattr(self, field.name) for field in attrs.fields(type(self))]
        return guarded_call(
            call,
            lambda: self.ask(call),
            lambda answer: self.parse(call, answer),
            backend=self.name,
            billed=call.operation in self.capabilities.billed_operations,
            mute=self.mute,
            translate=self.translate,
            secrets=[setting for setting in settings if isinstance(setting, Secret)],
        )


def guarded_call(
    call: Request,
    ask: Callable[[], T],
    read: Callable[[T], R],
    *,
    backend: str,
    billed: bool = True,
    mute: Iterable[str] = (),
    translate: Callable[[Exception], errors.VendorError | R | None] | None = None,
    secrets: Iterable[Secret] = (),
) -> R:
    """Let a vendor's own library (an SDK) ask, and keep what the library cannot promise.

    - `call.on_sent` is called before it begins: from then on the request may have left.
    - Nothing of it is logged: such libraries write requests and keys into their debug logs.
    - What it raises becomes one of our errors, without the library's own exception behind it, which
      may hold pictures and keys. Unless `translate` knows better the outcome is unknown, because
      the request may have left.

    Turn the library's own retries off: they would pay twice. Everything that one call asks belongs
    into one `ask`. The verifier ends the call when `call.deadline` is over, whatever the library's
    own time-outs are.

    Args:
        call: What the backend was handed.
        ask: Asks the library, and returns its answer.
        read: Makes the result of that answer.
        backend: Name of the backend.
        billed: Whether an answer costs money.
        mute: Loggers that are silent meanwhile, with all below them: ``"botocore"``. Other threads
            are still heard.
        translate: The error for an exception of the library, or the result where the exception is
            an answer ("no face"); None for one that it does not know.
        secrets: Masked wherever a result or an error repeats them.

    Raises:
        OutcomeUnknown: an exception that `translate` does not know.
        UnexpectedResponse: `read` raised something else than a `VendorError`: the answer cannot be
            read, and counts as charged.
        VendorError: what `translate` made of it.
    """
    outcome = _ask(
        call, ask, read, mute=tuple(mute), translate=translate, backend=backend, billed=billed
    )
    hidden = tuple(secrets)
    if isinstance(outcome, (models.Result, SessionAnswer)):
        return typing.cast(R, call.masker.mask(outcome, hidden))
    if not isinstance(outcome, errors.VendorError):
        return outcome
    mask_error(outcome, hidden)
    outcome.backend = outcome.backend or backend
    outcome.ids = attrs.evolve(outcome.ids, call=outcome.ids.call or call.call_id)
    # The frame of a function that raises stays alive with the error.
    del call, ask, read
    try:
        raise outcome from None
    finally:
        outcome.__context__ = None
        del outcome


def _ask(
    call: Request,
    ask: Callable[[], T],
    read: Callable[[T], R],
    *,
    mute: Sequence[str],
    translate: Translate[R],
    backend: str,
    billed: bool,
) -> R | errors.VendorError:
    """The result in the library's answer, or our error for what became of it."""
    call.on_sent()
    try:
        with muted(*mute):
            answer = ask()
    except errors.VendorError as error:
        return error.with_traceback(None)
    except Exception as error:
        if find_callers_exception(error) is error:
            raise
        meaning = _translate(error, translate, backend)
        for link in (error, error.__cause__, error.__context__):
            if link is not None:
                traceback.clear_frames(link.__traceback__)
        return meaning
    try:
        return read(answer)
    except errors.VendorError as error:
        return error.with_traceback(None)
    except Exception as error:  # noqa: BLE001 - it is paid for: the caller must learn that
        problem = report_fault(error)
    return unreadable_error(f"{backend} answered", problem, accepted_billing(int(billed)))


def _translate(error: Exception, translate: Translate[R], backend: str) -> errors.VendorError | R:
    """Return our error for an exception of the library; an unknown outcome by default."""
    problem = describe_fault(error)
    try:
        meaning = None if translate is None else translate(error)
    except Exception as fault:  # noqa: BLE001 - a plug-in's mapping, whose fault is named
        meaning = None
        problem += f"; its own mapping failed with {report_fault(fault)}"
    if isinstance(meaning, errors.VendorError):
        meaning.__cause__ = None
        return meaning.with_traceback(None)
    if meaning is not None:
        return meaning
    return errors.OutcomeUnknown(
        f"The library of {backend} failed ({problem}) after the request was handed to it. It may "
        "have been executed and charged.",
        billing=Billing(Charged.UNKNOWN, "the library does not say whether the request had left"),
    )
