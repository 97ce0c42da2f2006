"""Make calls through a backend, without the verifier, and record each reply."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import io
import time
from collections.abc import Collection, Iterable
from decimal import Decimal
from typing import Any

import attrs

import facematch_core as fm
from facematch_core.backend import (
    LivenessRequest,
    MatchRequest,
    Request,
    SessionReading,
    StartRequest,
)
from facematch_core.backend.session_types import Deletion
from facematch_core.base.masking import PERSONAL_KEYS
from facematch_core.call.verdict import default_threshold
from facematch_core.errors import EnvironmentMismatch, VendorError, VendorUnavailable
from facematch_core.http import HttpReply, HttpRequest, is_loopback
from facematch_core.http.transport import host_of
from facematch_mock_server.recognition.cards import READY

from .aspects import reduce_reply
from .calls import NEXT_LETTER, Step, VendorCalls
from .recorded import UNFINISHED, RecordedCall, RecordedReply

Calls = dict[str, RecordedCall]
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
    pixels = same.to_pil().convert("RGB")

    def encode(file_type: str) -> bytes:
        content = io.BytesIO()
        pixels.save(content, file_type)
        return content.getvalue()

    jpeg = encode("jpeg")
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


class Recorder:
    """Makes calls through a backend, and records each reply.

    Attributes:
        public_words: Words that may be stored, in lower case.
        files: The files to send, by the names used in a `Step`.
        calls: The calls by the name of their step, from their first byte on.
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
        self.public_words = public_words
        self.files = files
        self.control = control
        self.calls: Calls = {}
        self.failed_extra_requests: dict[str, str] = {}
        self.started: dict[str, fm.SessionRecord] = {}
        self.deleted_ids: set[str | None] = set()
        settings = attrs.asdict(backend, recurse=False).values()
        self.secrets = {value for value in settings if isinstance(value, fm.Secret)}
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

    def count_max_charges(self) -> int:
        """Return the number of charges so far, assuming the maximum for calls of unknown cost."""
        total = 0
        for call in self.calls.values():
            if call.charged != "no" or call.charge:
                total += min(self.vendor.charges, call.charges or self.vendor.charges)
        return total

    def make(self, step: Step, threshold: float | None) -> RecordedCall:
        """Make a call. Raises the vendor's error if no further call would be answered."""
        call = RecordedCall(charged="unknown", charges=None, lost=UNFINISHED)
        self._step = step
        self._threshold = threshold
        self._call = call
        self._status: int | None = None  # of the last reply to a login or to the call itself
        self._is_cut_off = False  # whether a request was sent and not answered
        if step.lists_stored_calls:
            self._find_stored_calls()
            return call
        request = self._request_for(step)
        begin = functools.partial(self.calls.setdefault, step.name, call)
        balance_before = self._read_balance()
        outcome: Any
        try:
            outcome = getattr(self.backend, request.handler.method)(
                attrs.evolve(request, on_sent=begin)
            )
        except VendorError as error:
            outcome = error.with_traceback(None)
        call.add_outcome(outcome, request)
        if self._ends_run(outcome):
            call.lost = type(outcome).__name__
            raise outcome
        call.lost = self._explain_loss(outcome)
        if step.session_request is not None:
            self._keep_session(outcome, request.record)
        balance = self._read_balance()
        if balance_before is not None and balance is not None:
            price = round(float(balance_before - balance), 4)
            call.charge = price > 0
            if price:
                call.price = price
        call.requests = len(call.answers)
        call.threshold = threshold
        call.on = f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"
        return call

    def _request_for(self, step: Step) -> Any:
        if step.session_request is not None:
            return step.session_request(record=self._record_for(step))
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
        if step.started_by:
            record = self.started[step.started_by]
        else:
            record = fm.SessionRecord(
                backend=self.backend.name,
                subject_ref="parity",
                purpose="parity",
                expects=(fm.Operation.LIVENESS,),
                liveness_threshold=80.0,
                planned_at=dt.datetime.now(dt.UTC),
            )
        if step.has_unknown_id:
            # An id of the same form. The beginning of a UUID states its version.
            known_id = str(record.session_id)
            unknown_id = known_id[:-6] + known_id[-6:].translate(NEXT_LETTER)
            record = attrs.evolve(record, session_id=unknown_id)
        elif step.session_request is StartRequest:
            record = attrs.evolve(record, session_id=None, vendor={})
        for text in (record.id, record.terms, record.session_id):
            if text:
                self.secrets.add(fm.Secret(text))
        return record

    def _ends_run(self, outcome: object) -> bool:
        """Return whether an error means that the vendor cannot be reached, or accepts no call."""
        if isinstance(outcome, EnvironmentMismatch):
            return True
        if self._call.charged != "no":
            return False
        if isinstance(outcome, fm.AuthenticationFailed):
            # If the key was accepted before, or is wrong on purpose, a rejection is a finding.
            return self._step.after_signing is None and not self._has_access
        return isinstance(outcome, VendorUnavailable) and self._status is None

    def _explain_loss(self, outcome: object) -> str:
        """Return why no reply came from the vendor itself; an empty string if one did."""
        if self._is_cut_off:
            return "no answer"
        status = self._status or 502
        if status in _GATEWAY_STATUSES or isinstance(outcome, fm.RateLimited):
            return str(max(status, 429))  # some vendors limit rates with status 400
        is_refused = isinstance(outcome, fm.AuthenticationFailed)
        if status < 500 and self._step.after_signing is None and not is_refused:
            self._has_access = True
        return ""

    def _keep_session(self, outcome: object, record: fm.SessionRecord) -> None:
        """Keep a started session before the next request can fail, because it must be deleted."""
        step = self._step
        if isinstance(outcome, Deletion):
            self.deleted_ids.add(record.session_id)
        elif isinstance(outcome, SessionReading) and step.session_request is StartRequest:
            session_id = outcome.session_id
            self.started[step.name] = attrs.evolve(
                record, session_id=session_id, vendor=outcome.vendor
            )
            self.secrets.add(fm.Secret(session_id))
            if step.started_by:
                is_same = session_id == self.started[step.started_by].session_id
                self._call.again = "the same" if is_same else "another"

    def _find_stored_calls(self) -> None:
        """List the calls stored by the vendor, and record whether it stored any of this run."""
        call = self._call
        status = self._fetch("answer", self.vendor.stored_calls_path).status
        own_ids: set[str] = set()
        for name, own_call in self.calls.items():
            # The list contains sessions too, which are always stored.
            if not name.startswith("session"):
                for reply in own_call.replies:
                    own_ids |= reply.id_digests
        listed_ids: set[str] = set()
        for listing in call.replies:
            listed_ids |= listing.id_digests
            # What else the list contains is about other calls.
            listing.aspects = {"status": status}
        call.kept = "yes" if own_ids & listed_ids else "no"
        call.lost = str(status) if status in _GATEWAY_STATUSES else ""
        call.charged = "no"
        call.charges = 0

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
        role = "answer" if "on_sent" in options else "login"
        return self._exchange(role, request, **options)

    def _exchange(self, role: str, request: HttpRequest, **options: Any) -> HttpReply:
        """Send a request without changes, and record the reply."""
        time.sleep(self._pause_s)
        self.secrets.update(request.secrets)
        self._is_cut_off = True
        reply: HttpReply = self._send(request, **options)
        self._is_cut_off = False
        if role != "balance":
            self._status = reply.status
        private_keys = PERSONAL_KEYS | self.backend.capabilities.private_keys
        aspects = reduce_reply(reply, self.secrets, private_keys, self.public_words)
        if self._step.started_by:
            # A session's remaining time depends on how fast the vendor responds.
            for aspect in [aspect for aspect in aspects if aspect.startswith("life ")]:
                del aspects[aspect]
        claims = () if self.control is None else self.control.journal()[-1].claims
        self._call.replies.append(RecordedReply(role, aspects, claims))
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
                self._call.replies.pop()
        self.failed_extra_requests["balance"] = problem
        return None
