"""Deadlines of calls and requests that tests make without a verifier."""

from facematch_core.base.clock import SystemClock
from facematch_core.base.deadline import NO_DEADLINE, Deadline


def as_deadlines(options, clock=None):
    """`options` with a `deadline` in place of `deadline_s` and `send_within_s`."""
    clock = clock or options.get("clock") or SystemClock()
    options = dict(options)
    if "deadline_s" in options:
        options["deadline"] = Deadline.after(options.pop("deadline_s"), clock)
    if "send_within_s" in options:
        deadline = options.get("deadline", NO_DEADLINE)
        options["deadline"] = deadline.sending_within(options.pop("send_within_s"))
    return options
