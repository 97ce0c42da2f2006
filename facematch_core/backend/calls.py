"""For plug-in authors: what a backend is asked for, as data, and by which method.

A `Call` is about pictures that we have; the other requests are about hosted sessions.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import attrs

from facematch_core import models
from facematch_core.base.clock import Clock, SystemClock
from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.base.masking import ResultMasker
from facematch_core.images.image import Image
from facematch_core.models import Billing

from .session_types import Deletion, SessionReading, SessionRecord

__all__ = [
    "Call", "DeleteRequest", "LivenessCall", "MatchCall", "ReadRequest", "Request", "StartRequest",
]  # fmt: skip


def new_call_id() -> str:
    """A fresh id of ours for one call: a random UUID."""
    return str(uuid.uuid4())


def ignore(*_: object) -> None:
    pass


@attrs.frozen
class Way:
    """The backend method for a kind of request, and its answer type."""

    method: str
    #: The generator of an `HttpBackend` that yields the HTTP requests; empty if there is none.
    steps: str
    answer: type[Any]


@attrs.frozen(kw_only=True)
class Request:
    """A request as data. New fields do not break plug-ins.

    Attributes:
        options: The backend's own typed options, or None.
        deadline: When the call must be over: ask `left_s` of it just before each wait. When the
            first byte must have left, or nothing may be sent any more (`VendorUnavailable`), is its
            `send_by`: the same, or earlier, so that a failover has time left for its next member.
        call_id: Our id of this call, a UUID.
        vendor_id: The vendor's id of it; None until an answer has given one.
        clock: The verifier's, on which waits and the deadline are counted.
        on_sent: Call it once, before the first byte may leave. If it raises, send nothing.
        on_accepted: To be called with the vendor's id, or None, and with what was charged so far,
            when an answer says more of either: it is what is known if the call is broken off.
        masker: Takes out of a result what must not be seen, just before it is returned.
    """

    options: Any = None
    deadline: Deadline = NO_DEADLINE
    call_id: str = attrs.field(factory=new_call_id)
    vendor_id: str | None = None
    clock: Clock = attrs.field(factory=SystemClock, repr=False, eq=False)
    on_sent: Callable[[], None] = attrs.field(default=ignore, repr=False, eq=False)
    on_accepted: Callable[[str | None, Billing], None] = attrs.field(
        default=ignore, repr=False, eq=False
    )
    masker: ResultMasker = attrs.field(factory=ResultMasker, repr=False, eq=False)

    operation = models.Operation.MATCH
    #: Whether it costs money; None if `Capabilities.billed_operations` says so.
    is_billed: ClassVar[bool | None] = None
    way: ClassVar[Way]


@attrs.frozen(kw_only=True)
class Call(Request):
    """A request about pictures.

    Attributes:
        probe: The live or candidate face, already prepared for this backend.
        threshold: Where a pass begins; its rule is the backend's. None if the caller set none and
            the backend has no default: then the vendor's own verdict counts alone.
        retention: What the vendor is asked to keep. MINIMAL for a backend that cannot keep.
        caller_ref: The caller's own reference, for the vendor if it takes one.
        metadata: The caller's own JSON object, for the vendor if it takes one.
    """

    probe: Image
    threshold: models.Threshold | None = None
    retention: models.Retention = models.Retention.MINIMAL
    caller_ref: str | None = None
    metadata: Mapping[str, Any] | None = None


@attrs.frozen(kw_only=True)
class MatchCall(Call):
    """Compare the probe with the reference.

    Attributes:
        reference: The face to compare with, already prepared for this backend.
    """

    reference: Image

    way = Way("match", "steps", models.MatchResult)


@attrs.frozen(kw_only=True)
class LivenessCall(Call):
    """Check whether the probe shows a live face."""

    operation = models.Operation.LIVENESS
    way = Way("check_liveness", "steps", models.LivenessResult)


@attrs.frozen(kw_only=True)
class StartRequest(Request):
    """Make a session. It counts as charged when it is answered, whatever the vendor does later.

    Attributes:
        record: What it is for; without `session_id`.
        reference: The face to compare with, already prepared for this backend; None for none.
        return_url: Where the vendor's page sends the person afterwards; None for nowhere.
        language: Of the vendor's page, ``es`` or ``pt-BR`` say; None for the vendor's choice.
    """

    record: SessionRecord
    reference: Image | None = None
    return_url: str | None = attrs.field(default=None, repr=False)
    language: str | None = None

    operation = models.Operation.SESSION
    is_billed = True
    way = Way("start_session", "start_steps", SessionReading)


@attrs.frozen(kw_only=True)
class ReadRequest(Request):
    """Say what the vendor shows of a session now. It is free, and may be asked at any time.

    Attributes:
        record: The session's. Without `session_id` only if the vendor can find it by the record.
        with_portrait: Whether a picture of the person is wanted.
        with_way_in: Whether the person's way in is wanted.
    """

    record: SessionRecord
    with_portrait: bool = False
    with_way_in: bool = False

    operation = models.Operation.SESSION
    is_billed = False
    way = Way("read_session", "read_steps", SessionReading)


@attrs.frozen(kw_only=True)
class DeleteRequest(Request):
    """Delete a session, with all that the vendor has of the person in it.

    Attributes:
        record: The session's. Without `session_id` only if the vendor can find it by the record.
    """

    record: SessionRecord

    operation = models.Operation.SESSION
    is_billed = False
    way = Way("delete_session", "delete_steps", Deletion)


@attrs.frozen(kw_only=True)
class LookUp(Request):
    """Read something in the vendor's records that is no answer to a call. It is free.

    Attributes:
        record: The call that is looked for; None for what is about none, or about many.
    """

    record: models.CallRecord | None

    is_billed = False
    way = Way("reconcile", "", models.Reconciliation)

    @classmethod
    def of(cls, record: models.CallRecord | None, **about: Any) -> LookUp:
        """Return a copy with the ids of the call."""
        call_id, vendor_id = ("", None) if record is None else (record.id, record.vendor_id)
        return cls(record=record, call_id=call_id, vendor_id=vendor_id, **about)
