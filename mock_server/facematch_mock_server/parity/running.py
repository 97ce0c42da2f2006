"""Make the steps of a run in their order, within its budget, and delete its sessions."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterable
from typing import Self

from facematch_core.backend import DeleteRequest, StartRequest
from facematch_core.backend.requests import do_nothing
from facematch_core.cli.text import Stopping, say
from facematch_core.errors import VendorError

from .calls import Step
from .recording import Calls, Recorder


class StopSignals(Stopping):
    """Defers Ctrl-C, SIGTERM and SIGHUP (closed terminal) until the current call ends.

    That call may be charged, and a session that it starts must be deleted.
    """

    def __enter__(self) -> Self:
        super().__enter__()
        number = getattr(signal, "SIGHUP", None)  # Windows has no SIGHUP, and nohup ignores it
        if number and self._before and signal.getsignal(number) is not signal.SIG_IGN:
            self._before[number] = signal.signal(number, self._stop)
        return self

    def stop_if_asked(self) -> None:
        """Raise KeyboardInterrupt if a signal was received."""
        if self.signal:
            raise KeyboardInterrupt

    def _stop(self, number: int, *_: object) -> None:
        self.signal = number
        with contextlib.suppress(OSError):  # the terminal may be closed
            os.write(2, b"\nstopping after the current call; the record will be written\n")


def run_steps(
    recorder: Recorder, steps: Iterable[Step], max_charges: int, stop_if_asked: Callable[[], None]
) -> None:
    """Make the calls that `max_charges` allows; `stop_if_asked` may raise after each."""
    calls = recorder.calls
    for step in steps:
        may_exceed_maximum = recorder.count_max_charges() + recorder.vendor.charges > max_charges
        # Free calls such as deletions are still made, but stored calls are not listed.
        if may_exceed_maximum and (step.may_be_charged or step.lists_stored_calls):
            continue
        if _find_obstacle(step, calls):
            continue
        say(f"  {step.name}: {step.sentence}", err=True)
        calls[step.name] = recorder.make(step, _threshold_of(step, calls))
        stop_if_asked()


def explain_unseen(steps: Iterable[Step], calls: Calls) -> dict[str, str]:
    """Return the reason for each call without a reply of the vendor, by the name of the call."""
    reasons: dict[str, str] = {}
    for step in steps:
        if step.name not in calls:
            reasons[step.name] = _find_obstacle(step, calls) or "not made"
        elif calls[step.name].lost:
            reasons[step.name] = calls[step.name].lost
    return reasons


def _find_obstacle(step: Step, calls: Calls) -> str:
    """Return the reason why a step cannot be made after `calls`, or an empty string."""
    if step.started_by:
        start = calls.get(step.started_by)
        if start is None:
            return "not made"
        if start.state is None:
            return "the start returned no id" if start.is_accepted else "no session was started"
    if step.threshold_offset is not None and step.scored_by in calls:
        threshold = _threshold_of(step, calls)
        if threshold is None or not 0 < threshold < 100:
            return "no such threshold"
    return ""


def _threshold_of(step: Step, calls: Calls) -> float | None:
    """Return the threshold of a step, or None for the backend's default or an unknown score."""
    if step.threshold_offset is None or step.scored_by not in calls:
        return None
    score = calls[step.scored_by].score
    return None if score is None else score + step.threshold_offset


def delete_sessions(recorder: Recorder, deletion_steps: Iterable[Step], max_charges: int) -> None:
    """Delete the started sessions: first by the deletion steps, then those that remain."""
    if not deletion_steps:
        # The vendor cannot delete sessions.
        return
    try:
        with contextlib.suppress(VendorError):
            run_steps(recorder, deletion_steps, max_charges, do_nothing)
    finally:
        for name, record in recorder.started.items():
            if record.session_id not in recorder.deleted_ids:
                step = Step(name, sentence="", session_request=DeleteRequest, started_by=name)
                with contextlib.suppress(VendorError):
                    recorder.make(step, threshold=None)


def find_remaining(recorder: Recorder, steps: Iterable[Step]) -> list[str]:
    """Return the names of the starts whose session may still exist."""
    remaining: list[str] = []
    for step in steps:
        call = recorder.calls.get(step.name)
        if call is None or step.session_request is not StartRequest:
            continue
        if step.name in recorder.started:
            may_exist = recorder.started[step.name].session_id not in recorder.deleted_ids
        else:
            # A rate-limited start creates no session. After any other lost reply, a session may
            # exist. After a 2xx reply without an id, it does.
            may_exist = call.is_accepted or call.lost not in ("", "429")
        if may_exist:
            remaining.append(step.name)
    return remaining
