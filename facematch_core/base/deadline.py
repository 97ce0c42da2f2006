"""`Deadline`: the deadline of a call, as a value to pass down."""

from __future__ import annotations

import math

import attrs

from .clock import Clock, SystemClock

__all__ = ["NO_DEADLINE", "Deadline"]

_SYSTEM_CLOCK = SystemClock()


@attrs.frozen(kw_only=True)
class Deadline:
    """A deadline; create it with `Deadline.after`.

    Attributes:
        limit_s: The total seconds allowed, for messages; None for no limit.
        ends_at: The end, on the monotonic clock; infinite for no limit.
        clock: The clock that the deadline uses.
        share: The earlier deadline for the first byte, if a failover has a next member; else None.
    """

    limit_s: float | None = None
    ends_at: float = math.inf
    clock: Clock = attrs.field(default=_SYSTEM_CLOCK, repr=False, eq=False)
    share: Deadline | None = None

    @classmethod
    def after(
        cls, limit_s: float | None, clock: Clock = _SYSTEM_CLOCK, *, since: float | None = None
    ) -> Deadline:
        """Return a deadline `limit_s` seconds after now or `since`; None for no limit."""
        if limit_s is None:
            return cls(clock=clock)
        start = clock.monotonic() if since is None else since
        return cls(limit_s=limit_s, ends_at=start + limit_s, clock=clock)

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit."""
        return self.ends_at != math.inf

    @property
    def is_over(self) -> bool:
        """Whether the deadline has passed."""
        return self.clock.monotonic() >= self.ends_at

    def left_s(self) -> float:
        """Return the seconds left: at least 0, infinite if there is no limit."""
        return max(0.0, self.ends_at - self.clock.monotonic())

    def timeout_s(self) -> float | None:
        """Return the seconds left as a `timeout` argument: None if there is no limit."""
        return self.left_s() if self.is_limited else None

    def within(self, seconds: float) -> Deadline:
        """Return the earlier of this deadline and `seconds` from now."""
        return self.earlier(Deadline.after(seconds, self.clock))

    def earlier(self, other: Deadline) -> Deadline:
        """Return the earlier of this deadline and another on the same clock."""
        return other if other.ends_at < self.ends_at else self

    def sending_within(self, seconds: float) -> Deadline:
        """Return this deadline with at most `seconds` for the first byte."""
        return attrs.evolve(self, share=Deadline.after(seconds, self.clock))

    @property
    def send_by(self) -> Deadline:
        """The deadline for the first byte; nothing may be sent after it."""
        return self.share or self

    @property
    def once_sent(self) -> Deadline:
        """The deadline of a call whose first byte has left."""
        return self if self.share is None else attrs.evolve(self, share=None)


#: A deadline without a limit.
NO_DEADLINE = Deadline()
