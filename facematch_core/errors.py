"""Every error of facematch, in one tree.

A mismatch is a result; only what kept us from one is an error.

::

    FaceMatchError
    ├── ConfigurationError (ValueError)     names file, profile and key, never a value
    │   ├── BackendNotFound (LookupError)
    │   ├── BackendUnusable                 found, but it cannot be loaded or opened
    │   └── EnvironmentMismatch             another environment than the required one
    ├── InvalidImage (ValueError)           refused before anything was sent
    ├── InvalidRequest (ValueError)         an argument that no backend can take; nothing was sent
    ├── UnsupportedOption                   this backend cannot pass it on; nothing was sent
    ├── UnsupportedCapability (NotImplementedError)
    ├── IncomparableScores (TypeError)      two scales in one comparison
    ├── BudgetExceeded                      refused before the first byte; .spent .cap .frees_at
    └── VendorError                         .billed .attempt_id .retryable .request_id .status_code
        ├── RequestRejected                 do not repeat; .field_errors
        ├── AuthenticationFailed            do not repeat
        ├── PermissionDenied                do not repeat
        ├── InsufficientCredit              do not repeat
        ├── RateLimited                     not executed, may be repeated; .retry_after_s
        ├── VendorUnavailable               no byte left, or an answer documented as unpaid
        │   └── BreakerOpen                 not asked: it is down; .retry_after_s
        ├── OutcomeUnknown                  may have been executed and charged; .reconcilable
        │   └── DeadlineExceeded (TimeoutError)
        └── UnexpectedResponse              charged, in a shape we do not know: report it to us

Act on the class and the attributes, never on the message. No message holds a key, a token or
picture bytes. Every error can be pickled and copied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ._enums import Billed, Environment

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from ._reconcile import Attempt
    from ._results import LivenessResult, Skipped


class FaceMatchError(Exception):
    """The base of every error that facematch raises on purpose.

    Attributes:
        message: One sentence or two: what, which value, what to do.
        liveness: The liveness result that was already paid when the comparison of `verify_live`
            failed; None otherwise.
        skipped: Every member of a `Failover` that was tried, in order, with what each said; the
            one whose error this is stands among them. () outside a failover.
    """

    #: For subclasses: names of the arguments that a copy or pickle carries besides the message.
    carried: ClassVar[tuple[str, ...]] = ()

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.liveness: LivenessResult | None = None
        self.skipped: tuple[Skipped, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        arguments = {name: getattr(self, name) for name in self.carried}
        state = {"liveness": self.liveness, "skipped": self.skipped}
        return _rebuild, (type(self), self.message, arguments), state


def _rebuild(cls: type[FaceMatchError], message: str, state: dict[str, Any]) -> FaceMatchError:
    return cls(message, **state)


class ConfigurationError(FaceMatchError, ValueError):
    """A setting is missing, unknown or wrong. Nothing was sent."""


class BackendNotFound(ConfigurationError, LookupError):
    """No installed plug-in carries this name."""


class BackendUnusable(ConfigurationError):
    """A plug-in carries this name, but it cannot be used as it is."""


class EnvironmentMismatch(ConfigurationError):
    """The environment is not the one that `require_environment` asks for.

    Attributes:
        environment: Where the answer came from, or what the backend is set to.
        billed: NO if it was noticed before sending; else what the answer said.
        attempt_id: Ours, of the call that was answered; None if nothing was sent.
        attempt: What `FaceVerifier.reconcile` needs to look for the call in the vendor's records.
            None if it was not charged, and until the verifier fills it in.
    """

    carried = ("environment", "billed", "attempt_id", "attempt")

    def __init__(
        self,
        message: str,
        *,
        environment: Environment,
        billed: Billed = Billed.NO,
        attempt_id: str | None = None,
        attempt: Attempt | None = None,
    ) -> None:
        super().__init__(message)
        self.environment = environment
        self.billed = billed
        self.attempt_id = attempt_id
        self.attempt = attempt


class InvalidImage(FaceMatchError, ValueError):
    """A picture that cannot be used: refused before anything was sent.

    Attributes:
        picture: ``probe`` or ``reference``, when a call refused it; None otherwise.
    """

    carried = ("picture",)

    def __init__(self, message: str, *, picture: str | None = None) -> None:
        super().__init__(message)
        self.picture = picture

    def of(self, picture: str) -> InvalidImage:
        """The same refusal, without its traceback, that says which picture it is about."""
        message = self.message.removeprefix("The picture")
        if message != self.message:
            return InvalidImage(f"The {picture}{message}", picture=picture)
        return InvalidImage(f"The {picture}: {self.message}", picture=picture)


class InvalidRequest(FaceMatchError, ValueError):
    """An argument that no backend could take (a threshold of NaN, say). Nothing was sent."""


class UnsupportedOption(FaceMatchError):
    """This backend has no way to pass the option on, and it is never dropped silently.

    Attributes:
        backend: Name of the backend.
        option: Name of the option as the caller wrote it.
    """

    carried = ("backend", "option")

    def __init__(self, message: str, *, backend: str, option: str) -> None:
        super().__init__(message)
        self.backend = backend
        self.option = option


class UnsupportedCapability(FaceMatchError, NotImplementedError):
    """This backend cannot do what was asked (liveness, say).

    Attributes:
        backend: Name of the backend.
        capability: What it lacks.
    """

    carried = ("backend", "capability")

    def __init__(self, message: str, *, backend: str, capability: str) -> None:
        super().__init__(message)
        self.backend = backend
        self.capability = capability


class IncomparableScores(FaceMatchError, TypeError):
    """Two scores of different scales were compared or subtracted."""


class BudgetExceeded(FaceMatchError):
    """The call would go over the budget. Refused before the first byte.

    Attributes:
        budget: Name of the budget.
        unit: ``calls``, or a currency; the unit of the amounts.
        cap: The most that may be spent.
        spent: What was charged, as far as can be known.
        reserved: What is set aside for calls that are under way; it may become free.
        unknown: What is set aside for calls whose charge is not known, until they are reconciled.
        frees_at: When the budget begins anew, UTC; None if it does not by itself.

    All are None in an error that no budget of ours raised.
    """

    carried = ("budget", "unit", "cap", "spent", "reserved", "unknown", "frees_at")

    def __init__(
        self,
        message: str,
        *,
        budget: str | None = None,
        unit: str | None = None,
        cap: Decimal | None = None,
        spent: Decimal | None = None,
        reserved: Decimal | None = None,
        unknown: Decimal | None = None,
        frees_at: datetime | None = None,
    ) -> None:
        super().__init__(message)
        self.budget = budget
        self.unit = unit
        self.cap = cap
        self.spent = spent
        self.reserved = reserved
        self.unknown = unknown
        self.frees_at = frees_at


class VendorError(FaceMatchError):
    """The vendor was called (or could not be reached) and gave no result.

    Attributes:
        backend: Name of the backend; None only until the verifier fills it in.
        billed: Whether the vendor charged, as far as can be known.
        billed_ground: Why we say so, in a few words.
        attempt_id: Our own id of this call; None only until the verifier fills it in.
        retryable: True only if repeating is certain not to pay twice and may help.
        request_id: The vendor's id of the call, if it told one.
        status_code: HTTP status, 100-599; None if there was no answer.
        environment: Where the answer came from, if it says so (a mock does); None otherwise.
        attempt: What `FaceVerifier.reconcile` needs to look for the call in the vendor's records.
            None if it was not charged, and until the verifier fills it in.
    """

    carried: ClassVar[tuple[str, ...]] = (
        "backend",
        "billed",
        "billed_ground",
        "attempt_id",
        "retryable",
        "request_id",
        "status_code",
        "environment",
        "attempt",
    )
    _billed: ClassVar[Billed] = Billed.UNKNOWN
    _retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        backend: str | None = None,
        billed: Billed | None = None,
        billed_ground: str | None = None,
        attempt_id: str | None = None,
        retryable: bool | None = None,
        request_id: str | None = None,
        status_code: int | None = None,
        environment: Environment | None = None,
        attempt: Attempt | None = None,
    ) -> None:
        super().__init__(message)
        self.environment = environment
        self.attempt = attempt
        self.backend = backend
        self.billed = self._billed if billed is None else billed
        self.billed_ground = billed_ground
        self.attempt_id = attempt_id
        self.retryable = self._retryable if retryable is None else retryable
        self.request_id = request_id
        self.status_code = status_code


class RequestRejected(VendorError):
    """The vendor refused the request itself: a field, a file, a path.

    Attributes:
        field_errors: The vendor's own texts per field, for vendors that tell them; else empty.
            Those of an answer over HTTP are masked and shortened, as the message is.
    """

    _billed = Billed.NO
    carried = (*VendorError.carried, "field_errors")

    def __init__(
        self, message: str, *, field_errors: Mapping[str, Sequence[str]] | None = None, **rest: Any
    ) -> None:
        super().__init__(message, **rest)
        self.field_errors: dict[str, tuple[str, ...]] = {
            name: tuple(texts) for name, texts in (field_errors or {}).items()
        }


class AuthenticationFailed(VendorError):
    """The key or token is missing, wrong, revoked or expired."""

    _billed = Billed.NO


class PermissionDenied(VendorError):
    """The key is known, but it may not do this."""

    _billed = Billed.NO


class InsufficientCredit(VendorError):
    """The account has no credit left. Stop the batch; a person must top it up."""

    _billed = Billed.NO


class RateLimited(VendorError):
    """Too many calls. Not executed, not charged; may be repeated later.

    Attributes:
        retry_after_s: Seconds to wait as the vendor says, at least 0; None if it does not say.
    """

    _billed = Billed.NO
    _retryable = True
    carried = (*VendorError.carried, "retry_after_s")

    def __init__(self, message: str, *, retry_after_s: float | None = None, **rest: Any) -> None:
        super().__init__(message, **rest)
        self.retry_after_s = retry_after_s


class VendorUnavailable(VendorError):
    """No byte of the request left this machine, or the answer is documented as unpaid."""

    _billed = Billed.NO
    _retryable = True


class BreakerOpen(VendorUnavailable):
    """The vendor is down, as earlier calls have shown, and was not asked. Nothing was sent.

    Attributes:
        retry_after_s: Seconds until it is asked again, at least 0; None while one call is on its
            way to try it.
    """

    carried = (*VendorError.carried, "retry_after_s")

    def __init__(self, message: str, *, retry_after_s: float | None = None, **rest: Any) -> None:
        super().__init__(message, **rest)
        self.retry_after_s = retry_after_s


class OutcomeUnknown(VendorError):
    """The call may have been executed and charged. It is never repeated by itself.

    Attributes:
        reconcilable: True if the vendor was asked to keep the call, so that a later look at its
            records can tell; False if nothing was kept.
    """

    _billed = Billed.UNKNOWN
    carried = (*VendorError.carried, "reconcilable")

    def __init__(self, message: str, *, reconcilable: bool = False, **rest: Any) -> None:
        super().__init__(message, **rest)
        self.reconcilable = reconcilable


class DeadlineExceeded(OutcomeUnknown, TimeoutError):
    """`deadline_s` ran out after the request had begun to leave."""


class UnexpectedResponse(VendorError):
    """The vendor answered with success in a shape we cannot read. Taken as charged."""

    _billed = Billed.YES


#: What ends a whole batch: the same thing would happen to every further pair.
FATAL: tuple[type[FaceMatchError], ...] = (
    AuthenticationFailed,
    PermissionDenied,
    InsufficientCredit,
    BudgetExceeded,
    ConfigurationError,
    UnsupportedCapability,
    UnsupportedOption,
    InvalidRequest,
)
