"""When a failover goes on to its next member, and what it raises if there is none."""

from __future__ import annotations

from facematch_core._enums import Billed
from facematch_core.errors import (
    FaceMatchError,
    InsufficientCredit,
    InvalidImage,
    RateLimited,
    UnsupportedCapability,
    UnsupportedOption,
    VendorError,
    VendorUnavailable,
)

#: What the next member is asked after: an outage (an open breaker says the same), throttling, no
#: credit. Not a spent budget, which is the owner's decision and no fault of the vendor's: another
#: vendor's bill is not what was meant by it. Not a bad key or a rejected request either: those are
#: mistakes, and another member would hide them.
GOES_ON: tuple[type[FaceMatchError], ...] = (VendorUnavailable, RateLimited, InsufficientCredit)

#: What says that this member cannot take this call. All of these come before anything is sent.
CANNOT: tuple[type[FaceMatchError], ...] = (InvalidImage, UnsupportedOption, UnsupportedCapability)


def goes_on(error: FaceMatchError) -> bool:
    """Whether the next member is asked. Never after what may have been charged."""
    if isinstance(error, VendorError):
        return isinstance(error, GOES_ON) and error.billed is Billed.NO
    return isinstance(error, CANNOT)


def better(kept: FaceMatchError | None, error: FaceMatchError) -> FaceMatchError:
    """Which of two errors says more to the caller, if no member answers.

    That a member cannot take the call matters least: it will never be able to. An error after
    which a repetition may help goes before one after which it will not, because asking the failover
    again helps if asking one member does. Of equals the last one counts; of members that cannot,
    the first, which is the one that was wanted.

    Args:
        kept: The one so far, or None.
        error: A later one.
    """
    if kept is None or _weight(error) > _weight(kept):
        return error
    return error if _weight(error) == _weight(kept) and isinstance(error, VendorError) else kept


def _weight(error: FaceMatchError) -> int:
    return 1 + error.retryable if isinstance(error, VendorError) else 0
