"""`Retry`: repeat a call that was certainly not charged."""

from __future__ import annotations

import random

import attrs

from facematch_core import errors
from facematch_core.models import Charged

from .policy import Attempt, must_be, positive_seconds


@attrs.frozen(kw_only=True)
class Retry:
    """Repeat a call that certainly cost nothing, if another try may help.

    Repeated are: a call of which nothing was sent, a throttled call (429), an answer that the
    vendor documents as free, and a call that waited for a budget's store. A call that may have been
    charged is never repeated, nor is any other refusal of a policy. A verifier has no retry unless
    it is given one.

    Args:
        times: The most repeats of one call, 1-10.
        first_s: Seconds before the second try, above 0; doubled for each further try, up to
            `longest_s`, and shortened at random by up to a half, so that clients spread out. A
            longer wait that the vendor asks for is kept.
        longest_s: The longest wait in seconds, above 0. If the vendor asks for a longer one, or the
            deadline comes first, the error is raised at once.

    Raises:
        ConfigurationError: a value is out of range.
    """

    times: int = attrs.field(
        default=2,
        validator=must_be(
            "a whole number from 1 to 10", lambda value: type(value) is int and 1 <= value <= 10
        ),
    )
    first_s: float = attrs.field(default=1.0, validator=positive_seconds)
    longest_s: float = attrs.field(default=60.0, validator=positive_seconds)
    #: The system's generator has no state that a fork would copy.
    _chance: random.Random = attrs.field(factory=random.SystemRandom, repr=False, eq=False)

    def wait_s(self, error: errors.FaceMatchError, attempt: Attempt) -> float | None:
        """Return the seconds until the next try; None if there is none."""
        if isinstance(error, errors.VendorError):
            is_known = not isinstance(error, errors.OutcomeUnknown)
            may_repeat = error.retryable and is_known and error.billing.charged is Charged.NO
        else:
            may_repeat = isinstance(error, errors.StoreUnavailable)
        if not may_repeat or attempt.number > self.times:
            return None
        wait_s: float = min(self.first_s * 2 ** (attempt.number - 1), self.longest_s)
        wait_s *= 0.5 + 0.5 * self._chance.random()
        # The pause of a circuit breaker is ours, not the vendor's.
        if isinstance(error, errors.VendorError) and not isinstance(error, errors.BreakerOpen):
            wait_s = max(wait_s, error.retry_after_s or 0.0)
        is_late = wait_s > self.longest_s or wait_s >= attempt.deadline.send_by.left_s()
        return None if is_late else wait_s
