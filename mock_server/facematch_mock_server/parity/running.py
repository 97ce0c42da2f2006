"""Make the calls and record them. They bypass the verifier."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import io
import os
import signal
import time
from collections.abc import Callable, Collection, Iterable
from decimal import Decimal
from typing import Any, Self

import attrs

import facematch_core as fm
from facematch_core.backend import (
    DeleteRequest,
    LivenessRequest,
    MatchRequest,
    Request,
    SessionReading,
    StartRequest,
)
from facematch_core.backend.requests import do_nothing
from facematch_core.backend.session_types import Deletion
from facematch_core.base.masking import PERSONAL_KEYS
from facematch_core.call.verdict import default_threshold
from facematch_core.cli.text import Stopping, say
from facematch_core.errors import EnvironmentMismatch, VendorError, VendorUnavailable
from facematch_core.http import HttpReply, HttpRequest, is_loopback
from facematch_core.http.transport import host_of
from facematch_mock_server.recognition.cards import READY

from .aspects import RecordedCall, RecordedReply, reduce_outcome, reduce_reply
from .calls import Step, VendorCalls

Calls = dict[str, RecordedCall | None]
Files = dict[str, Any]

#: Statuses from gateways and rate limits, which do not show the vendor's own behaviour.
_GATEWAY_STATUSES = (429, 502, 503, 504)


@attrs.frozen
class RawFile:
    """A file that is sent like an `Image`, whatever it contains."""

    data: bytes
    extension: str

    @property
    def media_type(self) -> str:
        return f"image/{self.extension}"


def make_files(pictures: Iterable[fm.Image], size_limit: int, rejected_type: str) -> Files:
    """Return the files to send, keyed by the names used in a `Step`."""
    same, again, other = pictures

    def encode(file_type: str) -> bytes:
        content = io.BytesIO()
        same.to_pil().convert("RGB").save(content, file_type)
        return content.getvalue()

    jpeg = encode("JPEG")
    text = b"This is no picture. " * 100
    rejected = text if rejected_type == "txt" else encode(rejected_type)
    return {
        "same": same,
        "again": again,
        "other": other,
        "no-face": fm.Image.from_bytes(READY["no-face"].data),
        "two-faces": fm.Image.from_bytes(READY["two-faces"].data),
        "no-picture": RawFile(text, "jpeg"),
        "other-kind": RawFile(rejected, rejected_type),
        # Decoders ignore bytes after the end of the picture.
        "largest": RawFile(jpeg.ljust(size_limit, b"\0"), "jpeg"),
        "too-large": RawFile(jpeg.ljust(size_limit + 1, b"\0"), "jpeg"),
    }


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

    def check(self) -> None:
        """Raise KeyboardInterrupt if a signal was received."""
        if self.signal:
            raise KeyboardInterrupt

    def _stop(self, number: int, *_: object) -> None:
        self.signal = number
        with contextlib.suppress(OSError):  # the terminal may be closed
            os.write(2, b"\nstopping after the current call; the record will be written\n")


class Recorder:
    """Makes calls through a backend, and records each reply.

    Attributes:
        files: The files to send, by the names used in a `Step`.
        calls: The calls by the name of their step; None for a call that was started but not
            finished, which may have been charged.
        failed_extra_requests: The reasons why requests other than calls failed, by request name.
        started: The started sessions, by the name of the step that started them.
        deleted_ids: The ids of the sessions that were deleted.
        secrets: The secrets in the backend's settings and in the requests.
        control: The control of the mock that is called; None for the vendor.
    """

    def __init__(
        self,
        backend: Any,
        vendor: VendorCalls,
        public_words: Collection[str],
        files: Files,
        control: Any = None,
    ) -> None:
        self.backend = backend
        self.vendor = vendor
        self.files = files
        self.control = control
        self.calls: Calls = {}
        self.failed_extra_requests: dict[str, str] = {}
        self.started: dict[str, fm.SessionRecord] = {}
        self.deleted_ids: set[str | None] = set()
        settings = attrs.asdict(backend, recurse=False).values()
        self.secrets = {value for value in settings if isinstance(value, fm.Secret)}
        self._public_words = public_words
        # Whether the vendor has accepted the key.
        self._has_access = False
        # Seconds to wait before each request, derived from the vendor's rate limit; 0 for a mock.
        self._pause_s = 0.0
        if not is_loopback(host_of(backend.service_url)):
            windows = backend.capabilities.rate_windows
            pauses = [window.seconds / window.limit for window in windows if window.seconds <= 60]
            self._pause_s = max(pauses, default=0.2)
        self._send = backend.client.send
        self._sign = backend.sign
        backend.client.send = self._send_and_record
        vars(backend)["sign"] = self._change_and_sign  # backends are frozen

    def make(self, step: Step, threshold: float | None) -> RecordedCall:
        """Make a call. Raises the vendor's error if no further call would be answered."""
        self._step = step
        self._threshold = threshold
        self._replies: list[RecordedReply] = []
        self._is_cut_off = False  # whether a request was sent and not answered
        if step.lists_stored_calls:
            return self._find_stored_calls()
        request: Any
        if step.session_request is None:
            request = self._picture_request(step)
        else:
            request = step.session_request(record=self._record_for(step))
        # The call is None from its first byte to its end.
        begin = functools.partial(self.calls.setdefault, step.name, None)
        request = attrs.evolve(request, on_sent=begin)
        balance_before = self._read_balance()
        try:
            outcome = getattr(self.backend, request.handler.method)(request)
        except VendorError as error:
            if self._ends_run(error):
                raise
            outcome = error.with_traceback(None)
        is_cut_off = self._is_cut_off
        call = reduce_outcome(
            outcome, getattr(request, "probe", None), getattr(request, "reference", None)
        )
        if step.session_request is not None:
            self._keep_session(outcome, request.record, call)
        balance = self._read_balance()
        if balance_before is not None and balance is not None:
            price = round(float(balance_before - balance), 4)
            call.charge = price > 0
            call.price = price or None
        statuses = self._statuses("login", "answer")  # some calls send only a login
        status = statuses[-1] if statuses else 502
        is_refused = isinstance(outcome, fm.AuthenticationFailed)
        if step.after_signing is None and status < 500 and status != 429 and not is_refused:
            self._has_access = True
        if is_cut_off:
            call.lost = "no answer"
        elif status in _GATEWAY_STATUSES or isinstance(outcome, fm.RateLimited):
            call.lost = str(max(status, 429))  # some vendors limit rates with status 400
        call.requests = len(self._statuses("answer"))
        call.threshold = threshold
        call.on = f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"
        call.replies = self._replies
        return call

    def _keep_session(self, outcome: object, record: fm.SessionRecord, call: RecordedCall) -> None:
        """Keep a started session before the next request can fail, because it must be deleted."""
        step = self._step
        if isinstance(outcome, Deletion):
            self.deleted_ids.add(record.session_id)
        elif isinstance(outcome, SessionReading) and step.session_request is StartRequest:
            self.started[step.name] = attrs.evolve(
                record, session_id=outcome.session_id, vendor=outcome.vendor
            )
            self.secrets.add(fm.Secret(outcome.session_id))
            if step.started_by:
                first_id = self.started[step.started_by].session_id
                call.again = "the same" if outcome.session_id == first_id else "another"

    def _ends_run(self, error: VendorError) -> bool:
        """Return whether an error means that the vendor cannot be reached, or accepts no call."""
        if isinstance(error, EnvironmentMismatch):
            return True
        if error.billing.charged is not fm.Charged.NO:
            return False
        if isinstance(error, fm.AuthenticationFailed):
            # If the key was accepted before, or is wrong on purpose, a rejection is a finding.
            return self._step.after_signing is None and not self._has_access
        return isinstance(error, VendorUnavailable) and not self._statuses("login", "answer")

    def _find_stored_calls(self) -> RecordedCall:
        """List the calls stored by the vendor, and record whether it stored any of this run."""
        reply = self._fetch("answer", self.vendor.stored_calls_path)
        own_ids: set[str] = set()
        for name, call in self.calls.items():
            # The list contains sessions too, which are always stored.
            if call is not None and not name.startswith("session"):
                for own_reply in call.replies:
                    own_ids |= own_reply.id_digests
        listed_ids: set[str] = set()
        for listing in self._replies:
            listed_ids |= listing.id_digests
            # What else the list contains is about other calls.
            listing.aspects = {"status": reply.status}
        return RecordedCall(
            kept="yes" if own_ids & listed_ids else "no",
            lost=str(reply.status) if reply.status in _GATEWAY_STATUSES else "",
            replies=self._replies,
        )

    def _picture_request(self, step: Step) -> Request:
        capabilities = self.backend.capabilities
        number = self._threshold
        if number is None:
            number = default_threshold(capabilities, step.operation)
        threshold = None
        if number is not None:
            threshold = fm.Threshold(number, capabilities.threshold_rule)
        probe = self.files[step.probe]
        if step.operation is fm.Operation.LIVENESS:
            return LivenessRequest(probe=probe, threshold=threshold)
        return MatchRequest(probe=probe, reference=self.files[step.reference], threshold=threshold)

    def _record_for(self, step: Step) -> fm.SessionRecord:
        """Return the record of the session to start, or of the started session."""
        record = self.started.get(step.started_by) or fm.SessionRecord(
            backend=self.backend.name,
            subject_ref="parity",
            purpose="parity",
            expects=(fm.Operation.LIVENESS,),
            liveness_threshold=80.0,
            planned_at=dt.datetime.now(dt.UTC),
        )
        if step.has_unknown_id:
            record = attrs.evolve(record, session_id=self.vendor.new_session_id())
        elif step.session_request is StartRequest:
            record = attrs.evolve(record, session_id=None, vendor={})
        for text in (record.id, record.terms, record.session_id):
            if text:
                self.secrets.add(fm.Secret(text))
        return record

    def _statuses(self, *roles: str) -> list[int]:
        return [reply.status for reply in self._replies if reply.role in roles]

    def _change_and_sign(self, request: HttpRequest, call: Request, **options: Any) -> HttpRequest:
        """Change a request as the step says, before the backend signs it."""
        if self._threshold is not None and self.vendor.threshold_field:
            body = {**request.json, self.vendor.threshold_field: self._threshold}
            request = attrs.evolve(request, json=body)
        if self._step.before_signing is not None:
            request = self._step.before_signing(request)
        signed: HttpRequest = self._sign(request, call, **options)
        return signed

    def _send_and_record(self, request: HttpRequest, **options: Any) -> HttpReply:
        """Send a request of the backend, changed as the step says, and record the reply."""
        if self._step.after_signing is not None:
            request = self._step.after_signing(request)
        # Only requests that may be charged pass `on_sent`. A login is free.
        return self._exchange("answer" if "on_sent" in options else "login", request, **options)

    def _exchange(self, role: str, request: HttpRequest, **options: Any) -> HttpReply:
        """Send a request without changes, and record the reply."""
        time.sleep(self._pause_s)
        self.secrets.update(request.secrets)
        self._is_cut_off = True
        reply: HttpReply = self._send(request, **options)
        self._is_cut_off = False
        private_keys = PERSONAL_KEYS | self.backend.capabilities.private_keys
        aspects = reduce_reply(reply, self.secrets, private_keys, self._public_words)
        if self._step.started_by:
            # A session's remaining time depends on how fast the vendor responds.
            for aspect in [aspect for aspect in aspects if aspect.startswith("life ")]:
                del aspects[aspect]
        recorded = RecordedReply(role, aspects)
        if self.control is not None:
            *_, entry = self.control.journal()
            recorded.claims = entry.claims
        self._replies.append(recorded)
        return reply

    def _fetch(self, role: str, path: str) -> HttpReply:
        headers = {
            header: getattr(self.backend, setting)
            for header, setting in self.vendor.headers.items()
        }
        request = HttpRequest(method="GET", url=self.backend.service_url + path, headers=headers)
        return self._exchange(role, request, backend=self.backend.name, charges=0)

    def _read_balance(self) -> Decimal | None:
        """Return the account's balance, or None if it cannot be read."""
        if not self.vendor.balance_path:
            return None
        problem = "no answer"
        with contextlib.suppress(VendorError, ArithmeticError):
            reply = self._fetch("balance", self.vendor.balance_path)
            problem = str(reply.status)
            if reply.status == 200:
                return Decimal(str(reply.at(self.vendor.balance_field)))
            # The key may not read it, or a gateway answered: nothing to compare.
            if reply.status in (401, 403, *_GATEWAY_STATUSES):
                self._replies.pop()
        self.failed_extra_requests["balance"] = problem
        return None


def count_max_charges(calls: Iterable[RecordedCall | None], max_charges: int) -> int:
    """Return the number of charges so far, assuming `max_charges` for calls of unknown cost."""
    total = 0
    for call in calls:
        if call is None:
            total += max_charges
        elif call.charged != "no" or call.charge:
            total += min(max_charges, call.charges or max_charges)
    return total


def explain_unseen(steps: Iterable[Step], calls: Calls) -> dict[str, str]:
    """Return the reason for each call without a reply of the vendor, by the name of the call."""
    reasons: dict[str, str] = {}
    for step in steps:
        call = calls.get(step.name)
        if step.name not in calls:
            reasons[step.name] = _find_obstacle(step, calls) or "not made"
        elif call is None:
            reasons[step.name] = "started but not finished"
        elif call.lost:
            reasons[step.name] = call.lost
    return reasons


def _find_obstacle(step: Step, calls: Calls) -> str:
    """Return the reason why a step cannot be made after `calls`, or an empty string."""
    start = calls.get(step.started_by)
    if step.started_by in calls and (start is None or start.state is None):
        is_accepted = start is not None and start.is_accepted
        return "the start returned no id" if is_accepted else "no session was started"
    if step.threshold_offset is not None and step.scored_by in calls:
        threshold = _threshold_of(step, calls)
        if threshold is None or not 0 < threshold < 100:
            return "no such threshold"
    return ""


def _threshold_of(step: Step, calls: Calls) -> float | None:
    """Return the threshold of a step, or None for the backend's default or an unknown score."""
    scored = calls.get(step.scored_by)
    if step.threshold_offset is None or scored is None or scored.score is None:
        return None
    return scored.score + step.threshold_offset


def run_steps(
    recorder: Recorder, steps: Iterable[Step], budget: int, check: Callable[[], None]
) -> None:
    """Make the calls that the remaining budget allows, and run `check` after each."""
    calls = recorder.calls
    max_charges = recorder.vendor.charges
    for step in steps:
        is_over_budget = count_max_charges(calls.values(), max_charges) + max_charges > budget
        if is_over_budget and (step.may_be_charged or step.lists_stored_calls):
            continue
        lacks_session = bool(step.started_by) and step.started_by not in calls
        if lacks_session or _find_obstacle(step, calls):
            continue
        say(f"  {step.name}: {step.sentence}", err=True)
        try:
            calls[step.name] = recorder.make(step, _threshold_of(step, calls))
        except VendorError as error:
            if step.name in calls and error.billing.charged is fm.Charged.NO:
                calls[step.name] = RecordedCall(lost=type(error).__name__)
            raise
        check()


def delete_sessions(recorder: Recorder, last_steps: Iterable[Step], budget: int) -> None:
    """Delete the started sessions: first by the last steps, then those that remain."""
    if not last_steps:
        return
    try:
        with contextlib.suppress(VendorError):
            run_steps(recorder, last_steps, budget, do_nothing)
    finally:
        for name, record in recorder.started.items():
            if record.session_id not in recorder.deleted_ids:
                step = Step(name, "", session_request=DeleteRequest, started_by=name)
                with contextlib.suppress(VendorError):
                    recorder.make(step, threshold=None)


def find_remaining(recorder: Recorder, steps: Iterable[Step]) -> list[str]:
    """Return the names of the starts whose session may still exist."""
    remaining: list[str] = []
    for step in steps:
        if step.session_request is not StartRequest or step.name not in recorder.calls:
            continue
        call = recorder.calls[step.name]
        if step.name in recorder.started:
            may_exist = recorder.started[step.name].session_id not in recorder.deleted_ids
        else:
            # A rate-limited start creates no session. After any other lost reply, a session may
            # exist. After a 2xx reply without an id, it does.
            may_exist = call is None or call.lost not in ("", "429") or call.is_accepted
        if may_exist:
            remaining.append(step.name)
    return remaining
