"""`Retry`: retry calls that were certainly not charged."""

from __future__ import annotations

import random

import attrs

from facematch_core import errors
from facematch_core.base.functions import must_be, positive_seconds
from facematch_core.models import Charged

from .attempt import Attempt


@attrs.frozen
class Retry:
    """Retries calls that were certainly not charged, if another attempt may succeed.

    Retries calls that were not sent, throttled calls (429), temporary errors that the vendor
    documents as free, and timeouts of a budget store. Never retries a call that may have been
    charged, or a call that a policy refused for any other reason.

    Args:
        times: Maximum number of retries per call, 1-10.
        first_s: Seconds before the second attempt, above 0. The wait doubles each time, up
            to `longest_s`, and a random jitter shortens it by up to half. If the vendor requests a
            longer wait, that wait is used.
        longest_s: The longest wait in seconds, above 0. If the vendor requests a longer wait, or
            the deadline comes first, the error is raised immediately.

    Raises:
        ConfigurationError: a value is out of range.

    Example:
        >>> with open_verifier("didit", retry=Retry(times=3)) as verifier:
        ...     print(verifier.verify(selfie, document, deadline_s=20).decision)
        match
    """

    times: int = attrs.field(
        default=2,
        validator=must_be(
            "a whole number from 1 to 10", lambda value: type(value) is int and 1 <= value <= 10
        ),
    )
    first_s: float = attrs.field(default=1.0, validator=positive_seconds, kw_only=True)
    longest_s: float = attrs.field(default=60.0, validator=positive_seconds, kw_only=True)
    #: The operating system's random generator, which has no state that a fork could copy.
    _chance: random.Random = attrs.field(
        factory=random.SystemRandom, repr=False, eq=False, kw_only=True
    )

    def wait_s(self, error: errors.FaceMatchError, attempt: Attempt) -> float | None:
        """Return the seconds until the next attempt; None if the call must not be retried."""
        if attempt.number > self.times or not _is_repeatable(error):
            return None
        wait_s: float = min(self.first_s * 2 ** (attempt.number - 1), self.longest_s)
        wait_s *= 0.5 + 0.5 * self._chance.random()
        # Ignore a circuit breaker's `retry_after_s`, because the vendor did not request it.
        if isinstance(error, errors.VendorError) and not isinstance(error, errors.BreakerOpen):
            wait_s = max(wait_s, error.retry_after_s or 0.0)
        if wait_s > self.longest_s or wait_s >= attempt.deadline.send_by.left_s():
            return None
        return wait_s


def _is_repeatable(error: errors.FaceMatchError) -> bool:
    """Return whether the call was certainly not charged, and another attempt may succeed."""
    if isinstance(error, errors.StoreUnavailable):
        return True  # nothing was sent
    if not isinstance(error, errors.VendorError) or isinstance(error, errors.OutcomeUnknown):
        return False
    return error.retryable and error.billing.charged is Charged.NO
