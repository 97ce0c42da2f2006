"""Making the calls, past the verifier: at the vendor with a journal, and again at its mock."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import hashlib
import io
import json
import math
import os
import sys
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs

import facematch_core as fm
from facematch_core.backend import LivenessCall, MatchCall, Request, SessionReading, StartRequest
from facematch_core.calls import ignore, way_of
from facematch_core.cli.text import say
from facematch_core.errors import EnvironmentMismatch, VendorError, VendorUnavailable
from facematch_core.files import OWNER_ONLY
from facematch_core.http import HttpReply, HttpRequest, is_loopback
from facematch_core.transport import host_of
from facematch_mock_server.recognition.sheet import card_sheet

from .aspects import reduce_outcome, reduce_reply
from .calls import Step, VendorCalls

#: Of what a backend makes of a call, what both sides are compared in.
_COMPARED = (
    *("requests", "decision", "warnings", "error", "charge", "price"),
    *("state", "ways", "again"),
)
#: What a gateway answers in the vendor's place, or a limit.
_PUT_OFF = (429, 502, 503, 504)


def make_files(pictures: Sequence[fm.Image], limit: int, kind: str) -> dict[str, Any]:
    """What is sent, by the names of `Step`: pictures without their metadata, and what is none."""

    def encode(form: str) -> bytes:
        content = io.BytesIO()
        pictures[0].to_pil().convert("RGB").save(content, form)
        return content.getvalue()

    def make_file(data: bytes, kind: str = "jpeg") -> Any:
        return SimpleNamespace(data=data, extension=kind, media_type=f"image/{kind}")

    text, jpeg = b"This is no picture. " * 100, encode("JPEG")
    return {
        **dict(zip(("same", "again", "other"), pictures, strict=True)),
        **{card: fm.Image.from_bytes(card_sheet()[card].data) for card in ("no-face", "two-faces")},
        "no-picture": make_file(text),
        "other-kind": make_file(text if kind == "txt" else encode(kind), kind),
        # Decoders stop at the end of the picture.
        "largest": make_file(jpeg.ljust(limit, b"\0")),
        "too-large": make_file(jpeg.ljust(limit + 1, b"\0")),
    }


class CallLog:
    """The calls of one plan, in a file of the owner's alone that one process uses at a time."""

    def __init__(self, path: Path, plan: Sequence[object]) -> None:
        problem = "belongs to another profile, edition or other pictures: name another --out"
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, OWNER_ONLY)
            if sys.platform != "win32":
                import fcntl

                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            content = path.read_bytes()
            # The last line may have been cut off.
            lines = [json.loads(line) for line in content.split(b"\n")[:-1]]
            # Salted: nobody can look for a picture by it.
            salt = lines[0][0] if lines else os.urandom(16).hex()
            first = [salt, hashlib.sha256(repr((salt, *plan)).encode()).hexdigest()]
            # One with no call in it binds nobody.
            if not lines[1:] or lines[0] == first:
                problem = ""
            calls: dict[str, Any] = dict(lines[1:])
        except BlockingIOError:
            problem = "is in use by another run: wait for its end"
        except OSError as error:
            problem = f"cannot be used ({error.strerror}): name another --out"
        except (ValueError, LookupError, TypeError):
            problem = "is no journal of parity: name another --out"
        if problem:
            raise fm.InvalidRequest(f"{path} {problem}.")
        os.ftruncate(self._file, content.rfind(b"\n") + 1 if lines[1:] else 0)
        if not lines[1:]:
            self._append(first)
        # By name what `Caller.make` returned; None of a call that was begun and not ended, which
        # may be paid for and is not made again. What was free and showed nothing is tried again.
        self.calls = {n: c for n, c in calls.items() if _is_billed(c) or c["is_seen"]}

    def write(self, name: str, call: Any = None) -> None:
        """Write that a call begins, or what was seen of it."""
        self._append([name, call])
        self.calls[name] = call

    def _append(self, line: Any) -> None:
        os.write(self._file, json.dumps(line).encode() + b"\n")
        os.fsync(self._file)

    def count_charges(self, most: int) -> int:
        """The charges so far: of a call of which nobody knows all that it can cost, `most`."""
        billed = filter(_is_billed, self.calls.values())
        return sum(min(most, (call and call["result"]["charges"]) or most) for call in billed)

    def close(self) -> None:
        os.close(self._file)


def _is_billed(call: Any) -> bool:
    return call is None or call["result"]["charged"] != "no" or bool(call["result"]["charge"])


class Caller:
    """A backend that makes calls as a `Step` says, and whose answers are overheard."""

    def __init__(self, backend: Any, vendor: VendorCalls, words: Collection[str]) -> None:
        self.backend, self.vendor, self._words = backend, vendor, words
        settings = attrs.asdict(backend, recurse=False).values()
        #: All that it has or has sent.
        self.secrets = {value: None for value in settings if isinstance(value, fm.Secret)}
        windows = [each for each in backend.capabilities.rate_windows if each.seconds <= 60]
        # The wait before each request: as long as the vendor says; a mock needs none.
        self.pause_s = max((each.seconds / each.limit for each in windows), default=0.2)
        self.pause_s *= not is_loopback(host_of(backend.address))
        self._send, self._sign = backend.client.send, backend.sign
        backend.client.send, vars(backend)["sign"] = self._overhear, self._change_and_sign

    def make(
        self,
        step: Step,
        files: Any,
        *,
        calls: Any,
        level: float | None,
        begin: Callable[[], None] = ignore,
    ) -> dict[str, Any]:
        """Make a call with a threshold at `level`; `begin` comes before its first byte."""
        self._step, self._level, self._seen = step, level, list[Any]()
        started = calls[step.of] if step.of else None
        ask = self._ask_for_session if step.asks else self._ask_for_verdict
        request: Any = attrs.evolve(ask(step, started, files), on_sent=begin)
        before, session, outcome = self._read_balance(), {}, None
        try:
            outcome = getattr(self.backend, way_of(request).method)(request)
        except VendorError as error:
            is_unsent = isinstance(error, VendorUnavailable) and not self._statuses()
            is_free = error.billing.charged is fm.Charged.NO
            # Nothing was sent, or a key is refused that nobody made wrong.
            is_void = is_free and (is_unsent or self._is_refusal(error))
            if is_void or isinstance(error, EnvironmentMismatch):
                raise
            outcome = error.with_traceback(None)
        after = self._read_balance()
        price = None if None in (before, after) else round(float(before - after), 4)
        result = {**reduce_outcome(outcome), "requests": len(self._statuses("answer"))}
        result |= {"charge": price and price > 0, "price": price or None}
        if isinstance(outcome, SessionReading) and step.asks is StartRequest:
            record = attrs.evolve(
                request.record, session_id=outcome.session_id, vendor=outcome.vendor
            )
            # When the vendor has forgotten it, nothing more is seen of it.
            lasts_s = self.backend.session_capabilities.result_lasts_s
            session = {"record": record.to_dict(), "until": lasts_s and time.time() + lasts_s}
            self.secrets[fm.Secret(outcome.session_id)] = None
            if started:
                first = started["session"]["record"]["session_id"]
                result["again"] = "the same" if outcome.session_id == first else "another"
        result["on"] = f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"
        aspects = {name: result[name] for name in _COMPARED if result.get(name) is not None}
        # What is lost on its way, put off or refused for its key shows nothing of the vendor.
        last = [502, *self._statuses()][-1]
        is_lost = last in _PUT_OFF or (isinstance(outcome, fm.OutcomeUnknown) and last < 300)
        is_put_off = isinstance(outcome, fm.RateLimited) or self._is_refusal(outcome)
        is_seen = not (is_lost or is_put_off)
        seen = [*self._seen, {"role": "call", "aspects": aspects}]
        whole = {"result": result, "level": level, "is_seen": is_seen, "seen": seen}
        return {**whole, "session": session} if session else whole

    def _ask_for_verdict(self, step: Step, _: Any, files: Any) -> Request:
        rules, level = self.backend.capabilities, self._level
        number = rules.default_for(step.operation) if level is None else level
        threshold = None if number is None else fm.Threshold(number, rules.threshold_rule)
        if step.operation is fm.Operation.LIVENESS:
            return LivenessCall(probe=files[step.probe], threshold=threshold)
        reference = files[step.reference]
        return MatchCall(probe=files[step.probe], reference=reference, threshold=threshold)

    def _ask_for_session(self, step: Step, started: Any, _: Any) -> Request:
        """About the session that a start made; or a start, of it or of one of its own."""
        if started:
            record = fm.SessionRecord.from_dict(started["session"]["record"])
        else:
            record = fm.SessionRecord(
                backend=self.backend.name,
                subject_ref="parity",
                purpose="parity",
                expects=(fm.Operation.LIVENESS,),
                liveness_threshold=80.0,
                planned_at=dt.datetime.now(dt.UTC),
            )
        if step.is_unknown:
            record = attrs.evolve(record, session_id=str(uuid.uuid4()))
        elif step.asks is StartRequest:
            record = attrs.evolve(record, session_id=None, vendor={})
        ids = (record.id, record.terms, record.session_id)
        self.secrets |= {fm.Secret(text): None for text in ids if text}
        make: Any = step.asks
        request: Request = make(record=record)
        return request

    def _statuses(self, *roles: str) -> list[int]:
        roles = roles or ("login", "answer")  # a login may be all that a call needs
        return [each["aspects"]["status"] for each in self._seen if each["role"] in roles]

    def _is_refusal(self, outcome: Any) -> bool:
        """Whether a key is refused that nobody made wrong."""
        return isinstance(outcome, fm.AuthenticationFailed) and not self._step.signed

    def _change_and_sign(self, request: HttpRequest, call: Any, **how: Any) -> Any:
        if self._level is not None and self.vendor.threshold != "sent":
            fields = {**request.json, self.vendor.threshold: self._level}
            request = attrs.evolve(request, json=fields)
        return self._sign(self._step.unsigned(request), call, **how)

    def _overhear(self, request: HttpRequest, **how: Any) -> HttpReply:
        role = "login" if how.get("call_id") is None else "answer"
        change = self._step.signed
        return self._exchange(role, change(request) if change else request, **how)

    def _exchange(self, role: str, request: HttpRequest, **how: Any) -> HttpReply:
        time.sleep(self.pause_s)
        self.secrets |= dict.fromkeys(request.secrets)
        reply: HttpReply = self._send(request, **how)
        private = self.backend.capabilities.demographic_keys
        aspects = reduce_reply(reply, tuple(self.secrets), private, self._words)
        self._seen.append({"role": role, "aspects": aspects})
        return reply

    def _read_balance(self) -> Any:
        """What is left at the vendor; None where nobody says."""
        if self.vendor.balance is None:
            return None
        path, place, names = self.vendor.balance
        headers = {name: getattr(self.backend, setting) for name, setting in names.items()}
        request = HttpRequest(method="GET", url=self.backend.address + path, headers=headers)
        with contextlib.suppress(VendorError, ArithmeticError):
            reply = self._exchange("balance", request, backend=self.backend.name, charges=0)
            if reply.status == 200:
                return Decimal(str(reply.at(place)))
            if reply.status in (401, 403, *_PUT_OFF):
                self._seen.pop()
        return None


def find_open(steps: Iterable[Step], calls: Any) -> Iterator[tuple[Step, float | None]]:
    """The calls still to be made that have room beside the score they need, and thresholds."""
    for step in steps:
        if step.of in calls:
            session = (calls[step.of] or {}).get("session")
            if not session or (session["until"] or math.inf) < time.time():
                continue
        scored = calls.get(step.scored_by)
        score = scored and scored["result"]["score"]
        level = None if None in (step.beyond, score) else score + step.beyond
        is_known = step.beyond is not None and step.scored_by in calls
        has_room = not is_known or (level is not None and 0 < level < 100)
        if step.name not in calls and has_room:
            yield step, level


def run_steps(
    caller: Caller, journal: CallLog, steps: Sequence[Step], files: Any, budget: int
) -> bool:
    """Make the calls that were not made yet; False if one of them could cost more than is left."""
    most, is_whole = caller.vendor.charges, True
    for step, level in find_open(steps, journal.calls):
        if step.may_be_charged and journal.count_charges(most) + most > budget:
            is_whole = False
        # What was started is deleted all the same.
        if step.of not in ("", *journal.calls) or (step.may_be_charged and not is_whole):
            continue
        say(f"  {step.name}: {step.sentence}", err=True)
        write = functools.partial(journal.write, step.name)
        try:
            write(caller.make(step, files, calls=journal.calls, level=level, begin=write))
        except fm.AuthenticationFailed:
            write({"is_seen": False, "result": {"charged": "no", "charge": None}})
            raise
    return is_whole


def ask_mock(caller: Caller, control: Any, steps: Sequence[Step], calls: Any, files: Any) -> Any:
    """What the mock shows of the calls that the vendor has answered, and by which claims."""
    ours: dict[str, Any] = {}
    results = {name: call["result"] for name, call in calls.items() if call and call["is_seen"]}
    if "session" in results and caller.vendor.sessions_need:
        # Nobody's face is stored, so that a workflow that compares with one starts no session. From
        # then on the mock knows no other workflow.
        kind = "biometric" if results["session"].get("error") == "RequestRejected" else "kyc"
        control.sessions.workflow(getattr(caller.backend, caller.vendor.sessions_need), kind=kind)
    for step in [step for step in steps if step.name in results]:
        if step.of and "session" not in ours.get(step.of, {}):
            continue
        result = results[step.name]
        control.clear_outcomes()
        # What is a card, or no picture, speaks for itself.
        is_pair = step.probe in ("same", "largest", "too-large") and step.reference != "no-face"
        # Whose picture has several faces, or none, the mock sees a card that has.
        instead: dict[str, Any] = {}
        warnings = result.get("warnings", ())
        is_shown = step.probe == "same" or "no_face" in results.get("same", {}).get("warnings", ())
        if result.get("faces", 0) > 1 or "multiple_faces" in warnings:
            instead = dict.fromkeys(("same", "largest"), files["two-faces"])
        elif is_pair and is_shown and "no_face" in warnings and result["score"] is None:
            places = (step.reference,) if result["faces"] else ("same", "largest")
            is_pair, instead = False, dict.fromkeys(places, files["no-face"])
        if "decision" in result and is_pair:
            # A threshold can hide the score; where there is none, the verdict alone is known.
            scored = results.get(step.scored_by, result) if step.beyond is not None else result
            verdict = {"match": 95.0, "live": 95.0, "review": 50.0}.get(result["decision"], 5.0)
            scores = [each["score"] for each in (result, scored) if each["score"] is not None]
            control.set_outcome(step.operation.value, score=[*scores, verdict][0], times=None)
        control.clear_journal()
        level = calls[step.name]["level"]
        ours[step.name] = caller.make(step, {**files, **instead}, calls=ours, level=level)
        *seen, whole = ours[step.name]["seen"]
        whole["claims"] = ()
        for each, entry in zip(seen, control.journal(), strict=True):
            each["claims"] = entry.claims
            if each["role"] == "answer":
                whole["claims"] = entry.claims
    return ours
