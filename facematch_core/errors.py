"""The error classes of facematch.

A mismatch is a result, not an error.

::

    FaceMatchError                          .billing; .route in a failover, .liveness in verify_live
    ├── ConfigurationError (ValueError)     an invalid setting; the message contains no secret
    │   └── BackendUnavailable (LookupError)  no such plug-in, or it cannot be loaded or opened
    ├── InvalidImage (ValueError)           the picture cannot be used; nothing was sent
    ├── InvalidRequest (ValueError)         the argument is invalid; nothing was sent
    ├── Unsupported (NotImplementedError)   not supported by this backend; nothing was sent
    ├── BudgetExceeded                      nothing was sent; .spent .cap .frees_at .retry_after_s
    │   └── TooManyAttempts                 the case had its checks; .retry_after_s
    ├── StoreUnavailable                    the budget store is locked or down; nothing was sent
    ├── SessionStarting                     another process starts this session; ask again
    ├── CheckUnderWay                       another process makes this check; ask again
    ├── AlreadyUsed                         this matter was used with other pictures
    ├── UnderReview                         a person decides on this case; nothing was sent
    ├── VerdictChanged                      the page of a decision is stale; nothing was stored
    ├── WebhookRefused (ValueError)         ignore this webhook delivery
    └── VendorError                         .ids .retryable .retry_after_s .call
        ├── RequestRejected                 do not retry; .field_errors
        │   └── SessionNotFound (LookupError)   the vendor has no such session
        ├── SessionMismatch                 a session of another record: grant no access
        ├── AuthenticationFailed            do not retry
        ├── PermissionDenied                do not retry
        ├── InsufficientCredit              do not retry
        ├── RateLimited                     not executed; may be retried
        ├── VendorUnavailable               nothing was sent, or the response is documented as free
        │   └── BreakerOpen                 the circuit breaker is open; nothing was sent
        ├── OutcomeUnknown                  may have been executed and charged; .reconcilable
        │   └── DeadlineExceeded (TimeoutError)
        ├── EnvironmentMismatch             not the configured or required environment; .result
        └── UnexpectedResponse              unreadable, but treated as charged: report it to us

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
    """The base class of facematch's own errors.

    Attributes:
        message: The error text, usually with advice.
        billing: Whether the vendor charged for the call, as far as known, and the reason. NO for
            an error that is not a `VendorError`, because nothing was sent.
        liveness: The paid liveness result if the comparison in `verify_live` failed; else None.
        route: All members of a failover or a share that were tried, with their errors, including
            the member that raised this error. None outside a failover or a share.

    Example:
        >>> try:
        ...     result = verifier.verify(b"%PDF-1.7", document)
        ... except InvalidImage as error:
        ...     print("Take another picture:", error.picture)
        ... except FaceMatchError as error:
        ...     print("Not verified, charged:", error.billing.charged)
        Take another picture: probe
    """

    _charged: ClassVar[Charged] = Charged.NO

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.billing = Billing(self._charged)
        self.liveness: models.LivenessResult | None = None
        self.route: models.Route | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        # Copy all attributes without calling `__init__`, which has required arguments.
        new = copyreg.__newobj__  # type: ignore[attr-defined]  # documented for pickles alone
        return new, (type(self),), {"args": self.args, **vars(self)}


class ConfigurationError(FaceMatchError, ValueError):
    """A setting is missing, unknown or invalid. Nothing was sent."""


class BackendUnavailable(ConfigurationError, LookupError):
    """No plug-in with this name is installed, or the plug-in cannot be used."""


class InvalidImage(FaceMatchError, ValueError):
    """The picture cannot be used. Nothing was sent.

    Attributes:
        picture: ``probe`` or ``reference`` if a call rejected the picture; else None.
    """

    def __init__(self, message: str, *, picture: str | None = None) -> None:
        super().__init__(message)
        self.picture = picture

    def of(self, picture: str) -> InvalidImage:
        """Return a copy of this error that names the picture, without a traceback."""
        if self.message.startswith("The picture"):
            message = self.message.replace("The picture", f"The {picture}", 1)
        else:
            message = f"The {picture}: {self.message}"
        return InvalidImage(message, picture=picture)


class InvalidRequest(FaceMatchError, ValueError):
    """An argument is invalid for every backend, such as a threshold of NaN. Nothing was sent."""


class Unsupported(FaceMatchError, NotImplementedError):
    """The backend does not support this operation or option. Nothing was sent.

    Unsupported options are never ignored.

    Attributes:
        backend: Name of the backend.
        what: Name of the unsupported operation or option.
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
        cap: The spending limit.
        spent: The amount charged, as far as known.
        reserved: The amount reserved for calls in flight; it may be released.
        unknown: The amount reserved for calls with an unknown charge, until they are reconciled.
        frees_at: Time at which the budget resets, UTC; None if it never resets.
        retry_after_s: Seconds until `frees_at` (0 or more), for the header ``Retry-After`` of a
            response of yours; None if the budget never resets.

    All attributes are None if the error was not raised by a `Budget`.
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
        retry_after_s: float | None = None,
    ) -> None:
        """Keep the amounts; each is None where it is not known."""
        super().__init__(message)
        self.budget = budget
        self.unit = unit
        self.cap = cap
        self.spent = spent
        self.reserved = reserved
        self.unknown = unknown
        self.frees_at = frees_at
        self.retry_after_s = retry_after_s


class TooManyAttempts(BudgetExceeded):
    """The case has had as many checks as its `CheckStore` allows. Nothing was sent.

    Attributes:
        retry_after_s: Seconds until the next check is allowed.
    """


class AlreadyUsed(FaceMatchError):
    """What `about` names was used, with other pictures. Nothing was sent.

    The same pictures return their verdict, and `CheckCase.find` returns the check that was used.
    Another matter, such as a payout that is made anew, needs another `about`.
    """


class UnderReview(FaceMatchError):
    """A verdict of the case waits for a person, or was accepted and not used. Nothing was sent.

    The same pictures return their verdict. With ``anew=True``, other pictures are another check.
    """


class VerdictChanged(FaceMatchError):
    """The verdict is not the one that a person saw, so the decision was not stored.

    It was decided, used, closed or erased meanwhile, or another one came: show the page again.
    """


class StoreUnavailable(FaceMatchError):
    """The store was locked, down or without space, so nothing could be reserved. Nothing was sent.

    Attributes:
        retryable: Always True: nothing was charged, and the store may recover soon.
    """

    retryable: ClassVar[bool] = True


class SessionStarting(FaceMatchError):
    """Another process is still starting the session of this person and purpose. Nothing was sent.

    Attributes:
        retryable: Always True: the next `VerificationCase.begin` returns that session.
    """

    retryable: ClassVar[bool] = True


class CheckUnderWay(FaceMatchError):
    """Another process is still making a check of this case. Nothing was sent.

    Attributes:
        retryable: Always True: the next call returns that check's verdict.
    """

    retryable: ClassVar[bool] = True


class WebhookRefused(FaceMatchError, ValueError):
    """A webhook delivery is unsigned, too old or unreadable. Do not process it.

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
        backend: Name of the backend; None until the verifier sets it.
        ids: The ids of this call: ours (set by the verifier), and the vendor's if there is one.
        retryable: True only if a retry may help and certainly cannot be charged twice.
        retry_after_s: Seconds to wait before the next call (0 or more), if the response states it,
            or None. Check `retryable` first: this value alone does not permit a retry.
        status_code: HTTP status, 100-599; None if there was no response.
        environment: The environment that the response states (a mock's response does), or None.
        call: The call record for `FaceVerifier.reconcile`. None if the call was not charged, or
            the verifier has not set it yet.
    """

    _charged = Charged.UNKNOWN
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
        """Keep what is known about the call.

        Without `retryable` or `billing`, those of the class count.
        """
        super().__init__(message)
        self.backend = backend
        if billing is not None:
            self.billing = billing
        self.ids = Ids() if ids is None else ids
        self.retryable = self._retryable if retryable is None else retryable
        self.retry_after_s = retry_after_s
        self.status_code = status_code
        self.environment = environment
        self.call = call


class RequestRejected(VendorError):
    """The vendor rejected the request, for example because of an invalid field or file.

    Attributes:
        field_errors: The vendor's error texts by field; may be empty. Texts from an HTTP response
            are masked and shortened, like the message.
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
    """The session was deleted, never existed, or belongs to another account."""


class SessionMismatch(VendorError):
    """The session does not belong to the record, or the record was changed. Do not grant access.

    Attributes:
        field: Name of the attribute that differs (``vendor`` for a key in `vendor`), never a value.
    """

    _charged = Charged.NO

    def __init__(self, message: str, *, field: str = "session_id", **rest: Any) -> None:
        super().__init__(message, **rest)
        self.field = field


class AuthenticationFailed(VendorError):
    """The key or token is missing, invalid, revoked or expired."""

    _charged = Charged.NO


class PermissionDenied(VendorError):
    """The key is valid, but lacks permission for this operation."""

    _charged = Charged.NO


class InsufficientCredit(VendorError):
    """The account has no credit left. Stop the batch until the account is topped up."""

    _charged = Charged.NO


class RateLimited(VendorError):
    """Too many calls for the vendor or a `RateLimiter`; not executed or charged. Retry later."""

    _charged = Charged.NO
    _retryable = True


class VendorUnavailable(VendorError):
    """Nothing was sent, or the vendor documents its error response as free.

    A plug-in that raises this error after it started to send must set `status_code`, or a `billing`
    with a ground. Otherwise the charge is treated as UNKNOWN.
    """

    _charged = Charged.NO
    _retryable = True


class BreakerOpen(VendorUnavailable):
    """The circuit breaker is open after earlier failures. Nothing was sent.

    `retry_after_s` is the number of seconds until the next probe.
    """


class OutcomeUnknown(VendorError):
    """The call may have been executed and charged. Such a call is never retried automatically.

    `billing` is UNKNOWN, or YES if the vendor accepted the call but did not finish it. In that
    case, `ids.vendor` is the id of the vendor's job.

    Attributes:
        reconcilable: Whether `FaceVerifier.reconcile` can look up the call later.
    """

    _charged = Charged.UNKNOWN

    def __init__(self, message: str, *, reconcilable: bool = False, **rest: Any) -> None:
        super().__init__(message, **rest)
        self.reconcilable = reconcilable


class DeadlineExceeded(OutcomeUnknown, TimeoutError):
    """`deadline_s` expired after the first byte of the request was sent, or may have been sent."""


class EnvironmentMismatch(VendorError):
    """The response did not come from the configured or required environment.

    `environment` is the environment of the response. `billing` is NO if nothing was sent.

    Attributes:
        result: The result, for a person to inspect; None if there is none.
    """

    def __init__(self, message: str, *, result: models.Answer | None = None, **rest: Any) -> None:
        super().__init__(message, **rest)
        self.result = result


class UnexpectedResponse(VendorError):
    """The vendor returned a success response that cannot be parsed. It is treated as charged.

    Attributes:
        vendor_status: The vendor's word for its verdict, or None. For a person to look at:
            "Approved" on an error is no yes.
        shape: Names, types and forms in the response, without its values; "" if it is not JSON.
            It may be sent in with a report.
    """

    _charged = Charged.YES

    vendor_status: str | None = None
    shape: str = ""


#: Errors that end a batch, because every further pair would fail with the same error.
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
