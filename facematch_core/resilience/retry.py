"""Making a call again that was certainly not charged."""

from __future__ import annotations

import random
from typing import Any

import attrs

from facematch_core import errors
from facematch_core.models import Charged

from .policy import AttemptContext, out_of_range, positive_seconds


def _times(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if type(value) is not int or not 1 <= value <= 10:
        raise out_of_range(instance, attribute, "a whole number from 1 to 10")


@attrs.frozen(kw_only=True)
class Retry:
    """Makes a call again if the try before it certainly cost nothing, and another one may help.

    That is so if no byte left, for 429, for answers that the vendor documents as unpaid, and while
    a budget's store is busy or away. What may have been charged is never made again, and no other
    refusal of a policy. Off unless a verifier is given one.

    Args:
        times: How often a call is made again, 1-10.
        first_s: The wait before the second try, above 0; doubled each time up to `longest_s`, and
            shortened by chance down to a half, so that many clients do not come back at once. A
            longer wait that the vendor asks for is kept.
        longest_s: The longest wait, above 0. If the vendor asks for a longer one, or there is no
            time for it before the deadline, the error is raised at once.

    Raises:
        ConfigurationError: a value is out of range.
    """

    times: int = attrs.field(default=2, validator=_times)
    first_s: float = attrs.field(default=1.0, validator=positive_seconds)
    longest_s: float = attrs.field(default=60.0, validator=positive_seconds)
    #: The system's, because a generator with a state would be the same in every forked process.
    _chance: random.Random = attrs.field(factory=random.SystemRandom, repr=False, eq=False)

    def wait_s(
        self, error: errors.FaceMatchError, context: AttemptContext, now: float
    ) -> float | None:
        """Seconds until the next try; None if there is none. `now` is on the verifier's clock."""
        if isinstance(error, errors.VendorError):
            may_be_paid = isinstance(error, errors.OutcomeUnknown)
            unpaid = error.billing.charged is Charged.NO and not may_be_paid
            again = unpaid and error.retryable
        else:
            again = isinstance(error, errors.StoreUnavailable)
        if not again or context.number > self.times:
            return None
        wait = min(self.first_s * 2 ** (context.number - 1), self.longest_s)
        wait *= 0.5 + 0.5 * self._chance.random()
        # When a circuit breaker closes is no word of the vendor's.
        if isinstance(error, errors.VendorError) and not isinstance(error, errors.BreakerOpen):
            wait = max(wait, error.retry_after_s or 0.0)
        late = context.until is not None and now + wait >= context.until
        return None if wait > self.longest_s or late else wait
