"""Making a call again that was certainly not charged."""

from __future__ import annotations

import collections
import random
from collections.abc import Callable
from typing import Any

import attrs

from facematch_core import errors
from facematch_core.models import Charged

from .policy import Attempt, must_be, positive_seconds

#: The largest quota.
MOST_QUOTA = 10_000

#: A retry takes so many tokens of a quota, and gives as many back if it helped; a call that needed
#: none gives back one.
_TOKENS = 5


def _from_1_to(most: int) -> Callable[[object, attrs.Attribute[Any], Any], None]:
    return must_be(
        f"a whole number from 1 to {most}",
        lambda value: type(value) is int and 1 <= value <= most,
    )


@attrs.frozen(kw_only=True)
class Retry:
    """Makes a call again if the try before it certainly cost nothing, and another one may help.

    That is so if no byte left, for 429, for answers that the vendor documents as unpaid, and while
    a budget's store is busy or away. What may have been charged is never made again, and no other
    refusal of a policy. Off unless a verifier is given one.

    All calls that use one `Retry` share its quota, so that an outage is not multiplied. Each retry
    takes one of it. A retry that helped gives its own back, and five calls that needed none give
    one back. When nothing is left of it, errors are raised at once, as without retries. Safe across
    threads; the child of a fork has a quota of its own.

    Args:
        times: How often a call is made again, 1-10.
        first_s: The wait before the second try, above 0; doubled each time up to `longest_s`, and
            shortened by chance down to a half, so that many clients do not come back at once. A
            longer wait that the vendor asks for is kept.
        longest_s: The longest wait, above 0. If the vendor asks for a longer one, or there is no
            time for it before the deadline, the error is raised at once.
        quota: How many retries more than helped there may be at first, and at most, 1-10,000.

    Raises:
        ConfigurationError: a value is out of range.
    """

    times: int = attrs.field(default=2, validator=_from_1_to(10))
    first_s: float = attrs.field(default=1.0, validator=positive_seconds)
    longest_s: float = attrs.field(default=60.0, validator=positive_seconds)
    quota: int = attrs.field(default=100, validator=_from_1_to(MOST_QUOTA))
    #: The system's, because a generator with a state would be the same in every forked process.
    _chance: random.Random = attrs.field(factory=random.SystemRandom, repr=False, eq=False)
    #: The tokens that remain. To append and to pop are one step each and need no lock, which a
    #: finaliser could find taken; tokens beyond the size of the deque are dropped.
    _tokens: collections.deque[None] = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        size = self.quota * _TOKENS
        object.__setattr__(self, "_tokens", collections.deque([None] * size, maxlen=size))

    def wait_s(self, error: errors.FaceMatchError, attempt: Attempt) -> float | None:
        """Seconds until the next try, which takes a part of the quota; None if there is none."""
        if isinstance(error, errors.VendorError):
            may_be_paid = isinstance(error, errors.OutcomeUnknown)
            is_unpaid = error.billing.charged is Charged.NO and not may_be_paid
            may_repeat = is_unpaid and error.retryable
        else:
            may_repeat = isinstance(error, errors.StoreUnavailable)
        if not may_repeat or attempt.number > self.times:
            return None
        wait_s: float = min(self.first_s * 2 ** (attempt.number - 1), self.longest_s)
        wait_s *= 0.5 + 0.5 * self._chance.random()
        # The wait of a circuit breaker is not one that the vendor asks for.
        if isinstance(error, errors.VendorError) and not isinstance(error, errors.BreakerOpen):
            wait_s = max(wait_s, error.retry_after_s or 0.0)
        if wait_s > self.longest_s or wait_s >= attempt.deadline.send_by.left_s():
            return None
        try:
            for _ in range(_TOKENS):
                self._tokens.pop()
        except IndexError:
            return None
        return wait_s

    def give_back(self, attempt: Attempt) -> None:
        """Note that a try succeeded."""
        self._tokens.extend([None] * (1 if attempt.number == 1 else _TOKENS))
