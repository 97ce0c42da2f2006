"""Deadlines of calls and requests that tests make without a verifier."""

from facematch_core.base.clock import SystemClock
from facematch_core.base.deadline import Deadline


def as_deadlines(options, clock=None):
    """`options` with `deadline` and `send_by` in place of `deadline_s` and `send_within_s`."""
    clock = clock or options.get("clock") or SystemClock()
    names = {"deadline_s": "deadline", "send_within_s": "send_by"}
    return {
        names.get(name, name): Deadline.after(value, clock) if name in names else value
        for name, value in options.items()
    }
