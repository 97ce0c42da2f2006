"""For plug-in authors: a vendor whose own library (an SDK) does the sending."""

from __future__ import annotations

import abc
import traceback
from collections.abc import Sequence
from typing import Any, ClassVar

import attrs

from facematch_core import errors, models
from facematch_core.base.cancellation import links_of
from facematch_core.base.masking import Secret, mask_error, muted
from facematch_core.models import Billing, Charged, LivenessResult, MatchResult

from .base import RemoteBackend, accepted_billing, describe_fault, report_fault, unreadable_error
from .calls import Call, LivenessCall, MatchCall

__all__ = ["SdkBackend"]


@attrs.define(kw_only=True, eq=False, slots=False, repr=False, on_setattr=[])
class SdkBackend(RemoteBackend):
    """A vendor whose own library (an SDK) does the sending.

    Write `ask`, `parse` and `translate`. Turn the library's own retries off: they would pay twice.

    - A call counts as sent from the moment at which the library is asked.
    - The library logs nothing meanwhile: such libraries write requests and keys into debug logs.
    - An exception of the library becomes an error of ours, without the exception itself, which may
      hold pictures and keys. The outcome is unknown unless `translate` knows better.
    - The verifier ends a call when its deadline is over, whatever the library's own time-outs are.

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
        """The result in the library's answer.

        Any exception but a `VendorError` means an answer that cannot be read: it is charged.
        """

    def translate(
        self, error: Exception
    ) -> errors.VendorError | MatchResult | LivenessResult | None:
        """What an exception of the library means; None for one that no document names.

        An error, or the result where the library raises an answer ("no face").
        """
        return None

    def match(self, call: MatchCall) -> MatchResult:
        result: MatchResult = self._guard(call)
        return result

    def check_liveness(self, call: LivenessCall) -> LivenessResult:
        result: LivenessResult = self._guard(call)
        return result

    def _guard(self, call: Call) -> Any:
        """Return the masked result of a call, or raise its masked error."""
        if call.operation not in self.capabilities.operations:
            raise errors.Unsupported.of_operation(self.name, call.operation)
        outcome: Any = self._outcome(call)
        settings = [getattr(self, field.name) for field in attrs.fields(type(self))]
        secrets = tuple(setting for setting in settings if isinstance(setting, Secret))
        if isinstance(outcome, models.Result):
            return call.masker.mask(outcome, secrets)
        if not isinstance(outcome, errors.VendorError):
            return outcome
        mask_error(outcome, secrets)
        outcome.backend = outcome.backend or self.name
        outcome.ids = attrs.evolve(outcome.ids, call=outcome.ids.call or call.call_id)
        # The frame of a function that raises stays alive with the error.
        del call
        try:
            raise outcome from None
        finally:
            outcome.__context__ = None
            del outcome

    def _outcome(self, call: Call) -> Any:
        """Return the result in the library's answer, or our error for what became of it."""
        call.on_sent()
        try:
            with muted(*self.mute):
                answer = self.ask(call)
        except errors.VendorError as error:
            return error.with_traceback(None)
        except Exception as error:  # noqa: BLE001 - the library's errors, which hold the picture
            meaning = self._translate(error)
            for link in links_of(error):
                traceback.clear_frames(link.__traceback__)
            return meaning
        try:
            return self.parse(call, answer)
        except errors.VendorError as error:
            return error.with_traceback(None)
        except Exception as error:  # noqa: BLE001 - it is paid for: the caller must learn that
            problem = report_fault(error)
        billing = accepted_billing(int(call.operation in self.capabilities.billed_operations))
        return unreadable_error(f"{self.name} answered", problem, billing)

    def _translate(self, error: Exception) -> Any:
        """Return what `translate` makes of an exception; an unknown outcome by default."""
        problem = describe_fault(error)
        try:
            meaning = self.translate(error)
        except Exception as fault:  # noqa: BLE001 - a plug-in's mapping, whose fault is named
            meaning = None
            problem += f"; its own mapping failed with {report_fault(fault)}"
        if isinstance(meaning, errors.VendorError):
            meaning.__cause__ = None
            return meaning.with_traceback(None)
        if meaning is not None:
            return meaning
        return errors.OutcomeUnknown(
            f"The library of {self.name} failed ({problem}) after the request was handed to it. It "
            "may have been executed and charged.",
            billing=Billing(
                Charged.UNKNOWN, "the library does not say whether the request had left"
            ),
        )
