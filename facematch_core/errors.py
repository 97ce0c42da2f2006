"""Every error of facematch, in one tree.

A mismatch is a result, not an error.

::

    FaceMatchError                          .route in a failover, .liveness in verify_live
    ├── ConfigurationError (ValueError)     names file, profile and key, never a value
    │   └── BackendUnavailable (LookupError)  no such plug-in, or it cannot be loaded or opened
    ├── InvalidImage (ValueError)           refused before anything was sent
    ├── InvalidRequest (ValueError)         an argument that no backend can take; nothing was sent
    ├── Unsupported (NotImplementedError)   this backend cannot do it; nothing was sent
    ├── BudgetExceeded                      refused before the first byte; .spent .cap .frees_at
    ├── StoreUnavailable                    the budget store is locked or down; nothing was sent
    ├── WebhookRefused (ValueError)         ignore this webhook delivery
    └── VendorError                         .billing .ids .retryable .retry_after_s .call
        ├── RequestRejected                 do not retry; .field_errors
        │   └── SessionNotFound (LookupError)   the vendor has no such session
        ├── SessionMismatch                 the session is not the record's: let no one in
        ├── AuthenticationFailed            do not retry
        ├── PermissionDenied                do not retry
        ├── InsufficientCredit              do not retry
        ├── RateLimited                     not executed, may be retried
        ├── VendorUnavailable               nothing was sent, or the response is documented as free
        │   └── BreakerOpen                 the circuit breaker is open; nothing was sent
        ├── OutcomeUnknown                  may have been executed and charged; .reconcilable
        │   └── DeadlineExceeded (TimeoutError)
        ├── EnvironmentMismatch             not the configured or required environment; .result
        └── UnexpectedResponse              charged, but unreadable: report it to us

Branch on the class and the attributes, never on the message. No message contains a key, a token or
picture bytes. Every error can be pickled and copied.
"""

from __future__ import annotations

import copyreg
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from . import models
from .models import Billing, Charged, Environment, Ids


class FaceMatchError(Exception):
    """The base of every error that facematch raises on purpose.

    Attributes:
        message: A sentence or two: what is wrong, with the value, and what to do.
        liveness: The paid liveness result, if the comparison of `verify_live` failed; else None.
        route: In a failover, every member tried, in order, with its error, including the member
            that raised this one. None outside a failover.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.liveness: models.LivenessResult | None = None
        self.route: models.Route | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        # Copies all attributes without `__init__`, which would require some of them again.
        new = copyreg.__newobj__  # type: ignore[attr-defined]  # documented for pickles alone
        return new, (type(self),), {"args": self.args, **vars(self)}


class ConfigurationError(FaceMatchError, ValueError):
    """A setting is missing, unknown or wrong. Nothing was sent."""


class BackendUnavailable(ConfigurationError, LookupError):
    """No installed plug-in has this name, or the plug-in cannot be used."""


class InvalidImage(FaceMatchError, ValueError):
    """A picture that cannot be used. Nothing was sent.

    Attributes:
        picture: ``probe`` or ``reference`` if a call refused the picture; None otherwise.
    """

    def __init__(self, message: str, *, picture: str | None = None) -> None:
        super().__init__(message)
        self.picture = picture

    def of(self, picture: str) -> InvalidImage:
        """Return a copy, without its traceback, that names the picture."""
        message = self.message.removeprefix("The picture")
        colon = ": " if message == self.message else ""
        return InvalidImage(f"The {picture}{colon}{message}", picture=picture)


class InvalidRequest(FaceMatchError, ValueError):
    """An argument that no backend can take, such as a threshold of NaN. Nothing was sent."""


class Unsupported(FaceMatchError, NotImplementedError):
    """The backend does not support this operation or option. Nothing was sent.

    No option is dropped silently.

    Attributes:
        backend: Name of the backend.
        what: The unsupported operation or option, as the caller wrote it.
    """

    def __init__(self, message: str, *, backend: str, what: str) -> None:
        super().__init__(message)
        self.backend = backend
        self.what = what

    @classmethod
    def of_operation(cls, backend: str, operation: models.Operation) -> Unsupported:
        """Return the error for an operation that the backend does not support."""
        return cls(
            f"The backend {backend} does not support {operation} calls. Run `facematch doctor` to "
            "see which backends do.",
            backend=backend,
            what=operation,
        )


class BudgetExceeded(FaceMatchError):
    """The call would exceed the budget. Nothing was sent.

    Attributes:
        budget: Name of the budget.
        unit: Unit of the amounts: ``calls``, or a currency.
        cap: The most that may be spent.
        spent: The amount charged, as far as we can know.
        reserved: The amount reserved for calls in flight; it may be released.
        unknown: The amount reserved for calls with an unknown charge, until they are reconciled.
        frees_at: When the budget resets, UTC; None if it does not reset by itself.

    All are None if the error does not come from a `Budget`.
    """

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
        self.budget, self.unit, self.frees_at = budget, unit, frees_at
        self.cap, self.spent, self.reserved, self.unknown = cap, spent, reserved, unknown


class StoreUnavailable(FaceMatchError):
    """The budget store was locked or down, so nothing could be reserved. Nothing was sent.

    Attributes:
        retryable: Always True: nothing was charged, and the store may recover soon.
    """

    retryable: ClassVar[bool] = True


class WebhookRefused(FaceMatchError, ValueError):
    """A webhook delivery to ignore: unsigned, too old, or unreadable.

    The message contains no secret and nothing from the delivery.

    Attributes:
        http_status: The HTTP status to respond with, 200-499.
    """

    def __init__(self, message: str, *, http_status: int = 401) -> None:
        super().__init__(message)
        self.http_status = http_status


class VendorError(FaceMatchError):
    """The vendor was called (or could not be reached) and returned no usable result.

    Attributes:
        backend: Name of the backend; None only until the verifier fills it in.
        billing: Whether the vendor charged, as far as we can know, and how we know.
        ids: The ids of this call: ours (set by the verifier), and the vendor's if there is one.
        retryable: True only if a retry may help and certainly cannot be charged twice.
        retry_after_s: Seconds to wait before the next call, at least 0, from the response; None
            if the response has none. It does not allow a retry; `retryable` does.
        status_code: HTTP status, 100-599; None if there was no response.
        environment: The environment that the response states (a mock does); None otherwise.
        call: The record for `FaceVerifier.reconcile`, which searches the vendor's records.
            None if the call was not charged, and until the verifier fills it in.
    """

    _charged: ClassVar[Charged] = Charged.UNKNOWN
    _retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        backend: str | None = None,
        billing: Billing | None = None,
        ids: Ids | None = None,
        retryable: bool | None = None,
        retry_after_s: float | None = None,
        status_code: int | None = None,
        environment: Environment | None = None,
        call: models.CallRecord | None = None,
    ) -> None:
        super().__init__(message)
        self.backend = backend
        self.billing = Billing(self._charged) if billing is None else billing
        self.ids = Ids() if ids is None else ids
        self.retryable = self._retryable if retryable is None else retryable
        self.retry_after_s, self.status_code = retry_after_s, status_code
        self.environment, self.call = environment, call


class RequestRejected(VendorError):
    """The vendor rejected the request itself: a field, a file, a path.

    Attributes:
        field_errors: The vendor's own texts per field; empty if there are none. Texts from an
            HTTP response are masked and shortened, like the message.
    """

    _charged = Charged.NO

    def __init__(
        self, message: str, *, field_errors: Mapping[str, Sequence[str]] | None = None, **rest: Any
    ) -> None:
        super().__init__(message, **rest)
        self.field_errors: dict[str, tuple[str, ...]] = {
            name: tuple(texts) for name, texts in (field_errors or {}).items()
        }


class SessionNotFound(RequestRejected, LookupError):
    """No such session: it was deleted, never existed, or belongs to another account."""


class SessionMismatch(VendorError):
    """The session does not belong to the record, or the record was changed: let no one in.

    Attributes:
        field: Name of the differing attribute, never its value; ``vendor`` for a key in `vendor`.
    """

    _charged = Charged.NO

    def __init__(self, message: str, *, field: str = "session_id", **rest: Any) -> None:
        super().__init__(message, **rest)
        self.field = field


class AuthenticationFailed(VendorError):
    """The key or token is missing, wrong, revoked or expired."""

    _charged = Charged.NO


class PermissionDenied(VendorError):
    """The key is valid, but lacks permission for this operation."""

    _charged = Charged.NO


class InsufficientCredit(VendorError):
    """The account has no credit left. Stop the batch until somebody tops it up."""

    _charged = Charged.NO


class RateLimited(VendorError):
    """Too many calls. Not executed, not charged; may be retried later."""

    _charged = Charged.NO
    _retryable = True


class VendorUnavailable(VendorError):
    """No byte of the request was sent, or the vendor documents the response as free.

    A plug-in that raises this error after it began to send must set `status_code`, or a `billing`
    with a ground. Otherwise nothing proves that the call was free, and it counts as UNKNOWN.
    """

    _charged = Charged.NO
    _retryable = True


class BreakerOpen(VendorUnavailable):
    """The circuit breaker is open after earlier failures. Nothing was sent.

    `retry_after_s`: seconds until the next probe; None while a probe is running.
    """


class OutcomeUnknown(VendorError):
    """The call may have been executed and charged. It is never retried automatically.

    `billing` is UNKNOWN, or YES if the vendor accepted the call but did not finish it. In that
    case `ids.vendor` is the id of the vendor's job.

    Attributes:
        reconcilable: True if `FaceVerifier.reconcile` can look the call up later.
    """

    _charged = Charged.UNKNOWN

    def __init__(self, message: str, *, reconcilable: bool = False, **rest: Any) -> None:
        super().__init__(message, **rest)
        self.reconcilable = reconcilable


class DeadlineExceeded(OutcomeUnknown, TimeoutError):
    """`deadline_s` expired after the first byte of the request may have been sent."""


class EnvironmentMismatch(VendorError):
    """The response came from an environment other than the configured or required one.

    Attributes:
        result: The result, for a person to inspect; None if there is none or nothing was sent.

    `environment` is the response's environment; `billing` is NO if nothing was sent.
    """

    def __init__(self, message: str, *, result: models.Answer | None = None, **rest: Any) -> None:
        super().__init__(message, **rest)
        self.result = result


class UnexpectedResponse(VendorError):
    """The vendor returned a success response that we cannot parse. Counts as charged."""

    _charged = Charged.YES


#: Errors that end a batch, because every further pair would fail the same way.
FATAL: tuple[type[FaceMatchError], ...] = (
    AuthenticationFailed,
    PermissionDenied,
    InsufficientCredit,
    BudgetExceeded,
    ConfigurationError,
    EnvironmentMismatch,
    Unsupported,
    InvalidRequest,
)
