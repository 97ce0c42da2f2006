"""Requests to a backend, as data, for authors of plug-ins.

A `PictureRequest` contains the caller's pictures. Other requests are for sessions or the vendor's
records.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import attrs

from facematch_core import models
from facematch_core.base.deadline import NO_DEADLINE, Clock, Deadline, SystemClock
from facematch_core.base.masking import ResultMasker
from facematch_core.images.image import Image
from facematch_core.models import Billing

from .session_types import Deletion, SessionReading, SessionRecord

__all__ = [
    "DeleteKeptRequest",
    "DeleteRequest",
    "LivenessRequest",
    "MatchRequest",
    "PictureRequest",
    "ReadRequest",
    "Request",
    "StartRequest",
]  # fmt: skip


def do_nothing(*_: object) -> None:
    pass


@attrs.frozen(kw_only=True)
class Handler:
    """The backend method for a kind of request, and the type of its result."""

    method: str
    #: The generator method of an `HttpBackend` that yields HTTP requests; empty if there is none.
    steps: str
    result_type: type[Any]


@attrs.frozen(kw_only=True)
class Request:
    """A request to a backend. New fields may be added without breaking plug-ins.

    Attributes:
        options: The backend's own typed options, or None.
        deadline: The deadline of the call: read `left_s` just before each wait. After
            `deadline.send_by`, send no first byte but raise `VendorUnavailable`. `send_by` may be
            earlier than the deadline, to leave time for the next member of a failover.
        call_id: Our id for this call, a UUID.
        vendor_id: The vendor's id for the call; None until a response contains one.
        clock: The verifier's clock, for waits and the deadline.
        on_sent: Must be called once, before the first byte is sent. If it raises, send nothing.
        on_accepted: Must be called with the vendor's id (or None) and the charge so far when a
            response changes either. Both are reported if the call is interrupted.
        masker: Removes secrets and private data from a result, just before it is returned.
    """

    options: Any = None
    deadline: Deadline = NO_DEADLINE
    call_id: str = attrs.field(factory=lambda: str(uuid.uuid4()))
    vendor_id: str | None = None
    clock: Clock = attrs.field(factory=SystemClock, repr=False, eq=False)
    on_sent: Callable[[], None] = attrs.field(default=do_nothing, repr=False, eq=False)
    on_accepted: Callable[[str | None, Billing], None] = attrs.field(
        default=do_nothing, repr=False, eq=False
    )
    masker: ResultMasker = attrs.field(factory=ResultMasker, repr=False, eq=False)

    operation = models.Operation.MATCH
    #: Whether the request costs money; if None, `Capabilities.billed_operations` decides.
    is_billed: ClassVar[bool | None] = None
    handler: ClassVar[Handler]


@attrs.frozen(kw_only=True)
class PictureRequest(Request):
    """A request that sends pictures.

    Attributes:
        probe: The live or candidate face, already prepared for this backend.
        threshold: The threshold for a pass, with the backend's rule. None if neither the caller nor
            the backend sets one: then only the vendor's own verdict decides.
        retention: The data that the vendor may store; KEEP only if the backend supports it.
        caller_ref: The caller's own reference; send it if the vendor accepts one.
        metadata: The caller's own JSON object; send it if the vendor accepts one.
    """

    probe: Image
    threshold: models.Threshold | None = None
    retention: models.Retention = models.Retention.MINIMAL
    caller_ref: str | None = attrs.field(default=None, repr=False)
    metadata: Mapping[str, Any] | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class MatchRequest(PictureRequest):
    """Compare the probe with the reference.

    Attributes:
        reference: The face to compare with, already prepared for this backend.
    """

    reference: Image

    handler = Handler(method="match", steps="steps", result_type=models.MatchResult)


@attrs.frozen(kw_only=True)
class LivenessRequest(PictureRequest):
    """Check whether the probe shows a live face."""

    operation = models.Operation.LIVENESS
    handler = Handler(method="check_liveness", steps="steps", result_type=models.LivenessResult)


@attrs.frozen(kw_only=True)
class StartRequest(Request):
    """Start a session. The request is treated as charged as soon as the vendor responds.

    Attributes:
        record: The record from `plan`, without `session_id`.
        reference: The face to compare with, already prepared for this backend, or None.
        return_url: The URL to which the vendor's page redirects the person afterwards, or None.
        language: Language of the vendor's page: ``es``, ``pt-BR``; None for the vendor's default.
    """

    record: SessionRecord
    reference: Image | None = None
    return_url: str | None = attrs.field(default=None, repr=False)
    language: str | None = None

    operation = models.Operation.SESSION
    is_billed = True
    handler = Handler(method="start_session", steps="start_steps", result_type=SessionReading)


@attrs.frozen(kw_only=True)
class ReadRequest(Request):
    """Read the current state of a session. It is free, and can be repeated at any time.

    Attributes:
        record: The session's record; it may lack `session_id` if the vendor finds it by record.
        with_portrait: Whether to return a picture of the person.
        with_access: Whether to return the `SessionAccess` of the session.
    """

    record: SessionRecord
    with_portrait: bool = False
    with_access: bool = False

    operation = models.Operation.SESSION
    is_billed = False
    handler = Handler(method="read_session", steps="read_steps", result_type=SessionReading)


@attrs.frozen(kw_only=True)
class DeleteRequest(Request):
    """Delete a session with all its personal data.

    Attributes:
        record: The session's record; it may lack `session_id` if the vendor finds it by record.
    """

    record: SessionRecord

    operation = models.Operation.SESSION
    is_billed = False
    handler = Handler(method="delete_session", steps="delete_steps", result_type=Deletion)


@attrs.frozen(kw_only=True)
class DeleteKeptRequest(Request):
    """Delete what the vendor stored of a call with `Retention.KEEP`.

    Attributes:
        session_id: `Ids.session` of the call's result.
    """

    session_id: str

    operation = models.Operation.SESSION
    is_billed = False
    handler = Handler(method="delete_kept", steps="delete_kept_steps", result_type=Deletion)


@attrs.frozen(kw_only=True)
class LookUpRequest(Request):
    """Search the vendor's records. Free of charge.

    Attributes:
        record: The call to look up; None if the request is not about a single call.
        request: The HTTP request of `HttpBackend.fetch`.
    """

    record: models.CallRecord | None
    request: Any = attrs.field(default=None, repr=False)

    is_billed = False
    handler = Handler(method="reconcile", steps="_fetch_steps", result_type=models.Reconciliation)

    @classmethod
    def of(cls, record: models.CallRecord | None, **fields: Any) -> LookUpRequest:
        """Return the request to look up a call record, with the record's ids and `fields`."""
        if record is None:
            return cls(record=None, call_id="", **fields)
        return cls(record=record, call_id=record.id, vendor_id=record.vendor_id, **fields)
