"""One request, as data: new fields break no plug-in."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from ._enums import Operation, Retention, SearchMode
from ._images import Image
from ._scores import Threshold

#: Under this name a backend puts our id of a kept call into the vendor's records, beside the
#: caller's `metadata`, so that `reconcile` can find it again. Callers may not use it.
ATTEMPT_KEY = "facematch_attempt_id"


def new_attempt_id() -> str:
    """A fresh id of ours for one call: a random UUID."""
    return str(uuid.uuid4())


def _nothing() -> None:
    pass


@attrs.frozen(kw_only=True)
class Call:
    """What every call carries.

    Attributes:
        probe: The live or candidate face, already prepared for this backend.
        threshold: Where a pass begins; its rule is the backend's. None if the caller set none and
            the backend has no default: then the vendor's own verdict counts alone.
        rotate: Try the four quarter turns. False for a backend that declares it cannot.
        retention: What the vendor is asked to keep. MINIMAL for a backend that cannot keep.
        caller_ref: The caller's own reference, for the vendor if it takes one.
        metadata: The caller's own JSON object, for the vendor if it takes one.
        options: The backend's own typed options, or None.
        deadline_s: Seconds that are left for this call, counted from now; None for no limit.
        attempt_id: Our id of this call.
        on_sent: To be called once, when the first byte may have left this machine.
    """

    probe: Image
    threshold: Threshold | None = None
    rotate: bool = False
    retention: Retention = Retention.MINIMAL
    caller_ref: str | None = None
    metadata: Mapping[str, Any] | None = None
    options: Any = None
    deadline_s: float | None = None
    attempt_id: str = attrs.field(factory=new_attempt_id)
    on_sent: Callable[[], None] = attrs.field(default=_nothing, repr=False, eq=False)

    operation = Operation.MATCH


@attrs.frozen(kw_only=True)
class MatchCall(Call):
    """Compare the probe with the reference.

    Attributes:
        reference: The face to compare with, already prepared for this backend.
    """

    reference: Image

    operation = Operation.MATCH


@attrs.frozen(kw_only=True)
class LivenessCall(Call):
    """Check whether the probe shows a live face."""

    operation = Operation.LIVENESS


@attrs.frozen(kw_only=True)
class SearchCall(Call):
    """Look for faces like the probe's among those that the vendor keeps. It has no threshold.

    Attributes:
        mode: Which faces are searched; one that the backend declares.
    """

    mode: SearchMode = SearchMode.MOST_SIMILAR

    operation = Operation.SEARCH


@attrs.frozen(kw_only=True)
class AgeCall(Call):
    """Estimate how old the person in the probe looks. `threshold` is that of liveness.

    Attributes:
        minimum_age: The age, in years, from which somebody is old enough; its rule is AT_LEAST.
            None if no verdict on the age is wanted.
    """

    minimum_age: Threshold | None = None

    operation = Operation.AGE
