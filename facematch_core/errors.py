"""Every error of facematch, in one tree.

A mismatch is a result; only what kept us from one is an error.

::

    FaceMatchError                          .route in a failover, .liveness in verify_live
    ├── ConfigurationError (ValueError)     names file, profile and key, never a value
    │   └── BackendUnavailable (LookupError)  no such plug-in, or it cannot be loaded or opened
    ├── InvalidImage (ValueError)           refused before anything was sent
    ├── InvalidRequest (ValueError)         an argument that no backend can take; nothing was sent
    ├── Unsupported (NotImplementedError)   this backend cannot do it; nothing was sent
    ├── BudgetExceeded                      refused before the first byte; .spent .cap .frees_at
    ├── StoreUnavailable                    a budget's store is busy or away; nothing was sent
    ├── WebhookRefused (ValueError)         a delivery that must be ignored
    └── VendorError                         .billing .ids .retryable .retry_after_s .call
        ├── RequestRejected                 do not repeat; .field_errors
        │   └── SessionNotFound (LookupError)   the vendor has no such session
        ├── SessionMismatch                 a session that is not the record's: let nobody in
        ├── AuthenticationFailed            do not repeat
        ├── PermissionDenied                do not repeat
        ├── InsufficientCredit              do not repeat
        ├── RateLimited                     not executed, may be repeated
        ├── VendorUnavailable               no byte left, or an answer documented as unpaid
        │   └── BreakerOpen                 not asked: it is down
        ├── OutcomeUnknown                  may have been executed and charged; .reconcilable
        │   └── DeadlineExceeded (TimeoutError)
        ├── EnvironmentMismatch             another environment than the wanted one; .result
        └── UnexpectedResponse              charged, in a shape we do not know: report it to us

Act on the class and the attributes, never on the message. No message holds a key, a token or
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
        message: One sentence or two: what, which value, what to do.
        liveness: The liveness result that was already paid when the comparison of `verify_live`
            failed; None otherwise.
        route: Every member of a `Failover` that was tried, in order, with what each said; the one
            whose error this is is among them. None outside a failover.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.liveness: models.LivenessResult | None = None
        self.route: models.Route | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        # Copies all attributes; `__init__` would require some of them again.
        new = copyreg.__newobj__  # type: ignore[attr-defined]  # documented for pickles alone
        return new, (type(self),), {"args": self.args, **vars(self)}


class ConfigurationError(FaceMatchError, ValueError):
    """A setting is missing, unknown or wrong. Nothing was sent."""


class BackendUnavailable(ConfigurationError, LookupError):
    """No installed plug-in carries this name, or one does that cannot be used as it is."""


class InvalidImage(FaceMatchError, ValueError):
    """A picture that cannot be used: refused before anything was sent.

    Attributes:
        picture: ``probe`` or ``reference``, when a call refused it; None otherwise.
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
    """An argument that no backend could take (a threshold of NaN, say). Nothing was sent."""


class Unsupported(FaceMatchError, NotImplementedError):
    """The backend does not support what was asked, and drops no option silently. Nothing was sent.

    Attributes:
        backend: Name of the backend.
        what: The operation that it lacks, or the option that it cannot pass on, as the caller
            wrote it.
    """

    def __init__(self, message: str, *, backend: str, what: str) -> None:
        super().__init__(message)
        self.backend = backend
        self.what = what

    @classmethod
    def of_operation(cls, backend: str, operation: models.Operation) -> Unsupported:
        """The refusal of an operation that a backend of this name lacks."""
        return cls(
            f"The backend {backend} has no {operation} call: choose a backend that has (`facematch "
            "doctor` lists them).",
            backend=backend,
            what=operation,
        )


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
    """The store of a budget was busy or away, so that nothing could be set aside. Nothing was sent.

    Attributes:
        retryable: Always True: nothing was charged, and the store may be back in a moment.
    """

    retryable: ClassVar[bool] = True


class WebhookRefused(FaceMatchError, ValueError):
    """A delivery of a vendor's that must be ignored: unsigned, too old, or unreadable.

    The message holds no secret and nothing of the delivery.

    Attributes:
        http_status: What to answer, 200-499.
    """

    def __init__(self, message: str, *, http_status: int = 401) -> None:
        super().__init__(message)
        self.http_status = http_status


class VendorError(FaceMatchError):
    """The vendor was called (or could not be reached) and gave no result that can be used.

    Attributes:
        backend: Name of the backend; None only until the verifier fills it in.
        billing: Whether the vendor charged, as far as can be known, and how we know.
        ids: Our id of this call (`ids.call`; None only until the verifier fills it in) and the
            vendor's (`ids.vendor`), if it gave one.
        retryable: True only if repeating is certain not to pay twice and may help.
        retry_after_s: Seconds to wait before anything is asked again, at least 0, as the answer
            says; None if it does not say. A repeat may be forbidden all the same.
        status_code: HTTP status, 100-599; None if there was no answer.
        environment: Where the answer came from, if it says so (a mock does); None otherwise.
        call: What `FaceVerifier.reconcile` needs to look for the call in the vendor's records.
            None if it was not charged, and until the verifier fills it in.
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
    """The vendor refused the request itself: a field, a file, a path.

    Attributes:
        field_errors: The vendor's own texts per field; empty if the vendor gives none.
            Those of an answer over HTTP are masked and shortened, as the message is.
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
    """The vendor has no such session: it was deleted, never made, or is another account's."""


class SessionMismatch(VendorError):
    """The session is not the one of the record, or the record was changed: let nobody in by it.

    Attributes:
        field: What differs, as the attribute of `SessionRecord` or of `SessionReading`; never its
            value. ``vendor`` for one of the vendor's own facts.
    """

    _charged = Charged.NO

    def __init__(self, message: str, *, field: str = "session_id", **rest: Any) -> None:
        super().__init__(message, **rest)
        self.field = field


class AuthenticationFailed(VendorError):
    """The key or token is missing, wrong, revoked or expired."""

    _charged = Charged.NO


class PermissionDenied(VendorError):
    """The key is known, but it may not do this."""

    _charged = Charged.NO


class InsufficientCredit(VendorError):
    """The account has no credit left. Stop the batch; a person must top it up."""

    _charged = Charged.NO


class RateLimited(VendorError):
    """Too many calls. Not executed, not charged; may be repeated later."""

    _charged = Charged.NO
    _retryable = True


class VendorUnavailable(VendorError):
    """No byte of the request left this machine, or the answer is documented as unpaid.

    A plug-in that raises it after its request has begun to leave gives `status_code`, or a
    `billing` with a ground: without either nobody says why nothing is charged, and the call counts
    as UNKNOWN.
    """

    _charged = Charged.NO
    _retryable = True


class BreakerOpen(VendorUnavailable):
    """The vendor is down, as earlier calls have shown, and was not asked. Nothing was sent.

    `retry_after_s` says when the vendor is tried again; None while one call is trying it.
    """


class OutcomeUnknown(VendorError):
    """The call may have been executed and charged. It is never repeated by itself.

    `billing` is UNKNOWN; or YES for a call that the vendor accepted and had not finished: then
    `ids.vendor` is the id of its job.

    Attributes:
        reconcilable: True if the vendor can be asked later what became of the call, by
            `FaceVerifier.reconcile`: it was asked to keep the call, or knows it by its own id.
    """

    _charged = Charged.UNKNOWN

    def __init__(self, message: str, *, reconcilable: bool = False, **rest: Any) -> None:
        super().__init__(message, **rest)
        self.reconcilable = reconcilable


class DeadlineExceeded(OutcomeUnknown, TimeoutError):
    """`deadline_s` ran out after the request had begun to leave."""


class EnvironmentMismatch(VendorError):
    """The answer came from another environment than the configured or required one.

    Attributes:
        result: The answer, for a person to look at; None if nothing was sent or it gave none.

    `environment` says where the answer came from; `billing` is NO if nothing was sent.
    """

    def __init__(self, message: str, *, result: models.Answer | None = None, **rest: Any) -> None:
        super().__init__(message, **rest)
        self.result = result


class UnexpectedResponse(VendorError):
    """The vendor answered with success in a shape we cannot read. Counts as charged."""

    _charged = Charged.YES


#: Errors that end a batch, because every further pair would fail in the same way.
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
