"""Make the calls, first to the vendor and then to the mock. They bypass the verifier."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import io
import os
import signal
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from types import SimpleNamespace
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
from facematch_core.base.masking import PERSONAL_KEYS
from facematch_core.call.verdict import default_threshold
from facematch_core.cli.text import Stopping, say
from facematch_core.errors import EnvironmentMismatch, VendorError, VendorUnavailable
from facematch_core.http import HttpReply, HttpRequest, is_loopback
from facematch_core.http.transport import host_of
from facematch_mock_server.recognition.cards import READY

from .aspects import reduce_outcome, reduce_reply
from .calls import Step, VendorCalls

#: The aspects of an outcome that are compared.
_COMPARED = (
    *("requests", "decision", "warnings", "error", "boxes", "charge", "price"),
    *("state", "ways", "again"),
)
#: Statuses from gateways and rate limits, which do not show the vendor's own behaviour.
_GATEWAY_STATUSES = (429, 502, 503, 504)


def make_files(pictures: Sequence[fm.Image], limit: int, kind: str) -> dict[str, Any]:
    """Return the files to send, keyed by the names used in a `Step`."""

    def encode(form: str) -> bytes:
        content = io.BytesIO()
        pictures[0].to_pil().convert("RGB").save(content, form)
        return content.getvalue()

    def make_file(data: bytes, kind: str = "jpeg") -> Any:
        return SimpleNamespace(data=data, extension=kind, media_type=f"image/{kind}")

    text, jpeg = b"This is no picture. " * 100, encode("JPEG")
    return {
        **dict(zip(("same", "again", "other"), pictures, strict=True)),
        **{card: fm.Image.from_bytes(READY[card].data) for card in ("no-face", "two-faces")},
        "no-picture": make_file(text),
        "other-kind": make_file(text if kind == "txt" else encode(kind), kind),
        # Decoders ignore bytes after the end of the picture.
        "largest": make_file(jpeg.ljust(limit, b"\0")),
        "too-large": make_file(jpeg.ljust(limit + 1, b"\0")),
    }


def _make_record(lost: str = "", seen: Sequence[Any] = (), **result: Any) -> dict[str, Any]:
    """Return the record of a call. `lost` is the reason why its response was lost, or empty."""
    free = {"charged": "no", "charges": 0, "charge": None, "score": None, "environment": "not said"}
    return {"result": free | result, "lost": lost, "seen": seen, "level": None}


def count_charges(calls: Mapping[str, Any], most: int) -> int:
    """Return the number of charges so far, assuming `most` for calls of unknown cost."""
    return sum(
        min(most, (call and call["result"]["charges"]) or most)
        for call in calls.values()
        if call is None or call["result"]["charged"] != "no" or call["result"]["charge"]
    )


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


class Caller:
    """Makes calls through a backend, and records each response.

    Attributes:
        calls: The results of `make` by name; None for a call that was started but not finished,
            which may have been charged.
        unread: The reasons why requests other than calls failed, by request name.
        started: The started sessions, by the name of the call that started them.
        secrets: A dict whose keys are the secrets in the backend's settings and in the requests.
    """

    def __init__(self, backend: Any, vendor: VendorCalls, words: Collection[str]) -> None:
        self.backend, self.vendor, self._words = backend, vendor, words
        settings = attrs.asdict(backend, recurse=False).values()
        self.secrets = {value: None for value in settings if isinstance(value, fm.Secret)}
        windows = [each for each in backend.capabilities.rate_windows if each.seconds <= 60]
        # Seconds to wait before each request, derived from the vendor's rate limit; 0 for a mock.
        self.pause_s = max((each.seconds / each.limit for each in windows), default=0.2)
        self.pause_s *= not is_loopback(host_of(backend.service_url))
        self.calls: dict[str, Any] = {}
        self.unread: dict[str, str] = {}
        self.started: dict[str, fm.SessionRecord] = {}
        self._has_access = False
        self._send, self._sign = backend.client.send, backend.sign
        backend.client.send, vars(backend)["sign"] = self._overhear, self._change_and_sign

    def make(self, step: Step, files: Any, level: float | None) -> dict[str, Any]:
        """Make a call with the threshold `level`."""
        self._step, self._level, self._seen = step, level, list[Any]()
        self._is_cut_off = False
        if step.is_list:
            return self._find_kept()
        started = self.started.get(step.of)
        ask = self._ask_for_session if step.asks else self._ask_for_verdict
        begin = functools.partial(self.calls.setdefault, step.name)
        request: Any = attrs.evolve(ask(step, started, files), on_sent=begin)
        before = self._read_balance()
        outcome: Any = None
        try:
            outcome = getattr(self.backend, request.handler.method)(request)
        except VendorError as error:
            is_unsent = isinstance(error, VendorUnavailable) and not self._statuses()
            # If the key was accepted before, a rejection is a finding and does not end the run.
            is_wrong = isinstance(error, fm.AuthenticationFailed) and not step.signed
            is_over = is_unsent or (is_wrong and not self._has_access)
            is_free = error.billing.charged is fm.Charged.NO
            if (is_over and is_free) or isinstance(error, EnvironmentMismatch):
                raise
            outcome = error.with_traceback(None)
        is_start = isinstance(outcome, SessionReading) and step.asks is StartRequest
        if is_start:
            # Record the session before the next request can fail, because it must be deleted.
            of_vendor = {"session_id": outcome.session_id, "vendor": outcome.vendor}
            self.started[step.name] = attrs.evolve(request.record, **of_vendor)
            self.secrets[fm.Secret(outcome.session_id)] = None
        is_cut_off, after = self._is_cut_off, self._read_balance()
        price = None if None in (before, after) else round(float(before - after), 4)
        pictures = {place: getattr(request, place, None) for place in ("probe", "reference")}
        result = {**reduce_outcome(outcome, pictures), "requests": len(self._statuses("answer"))}
        result |= {"charge": None if price is None else price > 0, "price": price or None}
        if is_start and started:
            is_same = outcome.session_id == started.session_id
            result["again"] = "the same" if is_same else "another"
        aspects = {name: result[name] for name in _COMPARED if result.get(name) is not None}
        seen = [*self._seen, {"role": "call", "aspects": aspects}]
        last = [502, *self._statuses()][-1]
        is_refused = isinstance(outcome, fm.AuthenticationFailed)
        is_open = not step.signed and last < 500 and last != 429 and not is_refused
        self._has_access = self._has_access or is_open
        result["on"] = f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"
        # An error from a gateway or a rate limit does not show the vendor's own behaviour.
        is_limited = last in _GATEWAY_STATUSES or isinstance(outcome, fm.RateLimited)
        lost = "no answer" if is_cut_off else str(max(last, 429)) if is_limited else ""
        return _make_record(lost, seen, **result) | {"level": level}

    def _find_kept(self) -> dict[str, Any]:
        """List the calls stored at the vendor, and record whether ours are among them."""
        reply = self._fetch("answer", self.vendor.kept or "")
        (listed,) = self._seen
        once = [
            call for name, call in self.calls.items() if call and not name.startswith("session")
        ]
        ids = _find_ids(seen for call in once for seen in call["seen"])
        is_listed = bool(ids & _find_ids([listed]))
        listed["aspects"] = {"status": reply.status}
        kept = {"role": "call", "aspects": {"kept": "yes" if is_listed else "no"}}
        lost = str(reply.status) if reply.status in _GATEWAY_STATUSES else ""
        return _make_record(lost, [listed, kept])

    def _ask_for_verdict(self, step: Step, _: Any, files: Any) -> Request:
        rules, level = self.backend.capabilities, self._level
        number = default_threshold(rules, step.operation) if level is None else level
        threshold = None if number is None else fm.Threshold(number, rules.threshold_rule)
        if step.operation is fm.Operation.LIVENESS:
            return LivenessRequest(probe=files[step.probe], threshold=threshold)
        reference = files[step.reference]
        return MatchRequest(probe=files[step.probe], reference=reference, threshold=threshold)

    def _ask_for_session(self, step: Step, started: Any, _: Any) -> Request:
        """Return the request for a step: a start, or a request about a started session."""
        record = started or fm.SessionRecord(
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
        roles = roles or ("login", "answer")  # some calls send only a login
        return [each["aspects"]["status"] for each in self._seen if each["role"] in roles]

    def _change_and_sign(self, request: HttpRequest, call: Any, **how: Any) -> Any:
        if self._level is not None and self.vendor.threshold != "sent":
            fields = {**request.json, self.vendor.threshold: self._level}
            request = attrs.evolve(request, json=fields)
        return self._sign(self._step.unsigned(request), call, **how)

    def _overhear(self, request: HttpRequest, **how: Any) -> HttpReply:
        # Only requests that may be charged pass `on_sent`. A login is free.
        role = "answer" if "on_sent" in how else "login"
        change = self._step.signed
        return self._exchange(role, change(request) if change else request, **how)

    def _exchange(self, role: str, request: HttpRequest, **how: Any) -> HttpReply:
        time.sleep(self.pause_s)
        self.secrets |= dict.fromkeys(request.secrets)
        self._is_cut_off = True
        reply: HttpReply = self._send(request, **how)
        self._is_cut_off = False
        private = PERSONAL_KEYS | self.backend.capabilities.private_keys
        aspects = reduce_reply(reply, self.secrets, private, self._words)
        if self._step.of:
            # A session's remaining time depends on how fast the vendor responds.
            aspects = {name: value for name, value in aspects.items() if name[:5] != "life "}
        self._seen.append({"role": role, "aspects": aspects})
        return reply

    def _fetch(self, role: str, path: str) -> HttpReply:
        names = self.vendor.headers.items()
        headers = {name: getattr(self.backend, setting) for name, setting in names}
        request = HttpRequest(method="GET", url=self.backend.service_url + path, headers=headers)
        return self._exchange(role, request, backend=self.backend.name, charges=0)

    def _read_balance(self) -> Any:
        """Return the account's balance, or None if it cannot be read."""
        if self.vendor.balance is None:
            return None
        path, place = self.vendor.balance
        problem = "no answer"
        with contextlib.suppress(VendorError, ArithmeticError):
            reply = self._fetch("balance", path)
            problem = str(reply.status)
            if reply.status == 200:
                return Decimal(str(reply.at(place)))
            if reply.status in (401, 403, *_GATEWAY_STATUSES):
                self._seen.pop()
        self.unread["balance"] = problem
        return None


def _find_ids(replies: Iterable[Any]) -> set[str]:
    """Return the digests of all ids in these responses."""
    aspects = (each for reply in replies for each in reply["aspects"].items())
    return {text for aspect, texts in aspects if aspect[:3] == "id " for text in texts}


def explain_unseen(steps: Iterable[Step], calls: Mapping[str, Any]) -> dict[str, str]:
    """Return the reason for each call without a response, by the name of the call."""
    begun = {"lost": "started but not finished"}
    unmade = {each.name: _find_obstacle(each, calls) or "not made" for each in steps}
    lost = {name: (call or begun)["lost"] for name, call in calls.items()}
    return {name: reason for name, reason in (unmade | lost).items() if reason}


def _find_obstacle(step: Step, calls: Mapping[str, Any]) -> str:
    """Return the reason why a call cannot be made after `calls`, or an empty string."""
    start = calls.get(step.of)
    if step.of in calls and "state" not in (start or {"result": ()})["result"]:
        return "the start returned no id" if _is_answered(start) else "no session was started"
    if step.beyond is not None and step.scored_by in calls:
        score = (calls[step.scored_by] or {"result": {"score": None}})["result"]["score"]
        if score is None or not 0 < score + step.beyond < 100:
            return "no such threshold"
    return ""


def _is_answered(call: Any) -> bool:
    """Return whether the vendor responded to a call with 2xx."""
    return any(200 <= each["status"] < 300 for each in _find_answers(call))


def run_steps(
    caller: Caller, steps: Iterable[Step], files: Any, budget: int, check: Callable[[], None]
) -> None:
    """Make the calls that the remaining budget allows, and run `check` after each."""
    most, is_over, calls = caller.vendor.charges, False, caller.calls
    for step in steps:
        is_over = is_over or count_charges(calls, most) + most > budget
        # Started sessions are deleted even if the budget is used up.
        is_dear = step.may_be_charged or step.is_list
        if step.of not in ("", *calls) or (is_dear and is_over) or _find_obstacle(step, calls):
            continue
        say(f"  {step.name}: {step.sentence}", err=True)
        scored: Any = calls.get(step.scored_by)
        score: Any = scored and scored["result"]["score"]
        level = None if step.beyond is None or score is None else score + step.beyond
        try:
            calls[step.name] = caller.make(step, files, level)
        except VendorError as error:
            if step.name in calls and error.billing.charged is fm.Charged.NO:
                calls[step.name] = _make_record(type(error).__name__)
            raise
        check()


def end_sessions(caller: Caller, steps: Iterable[Step]) -> list[str]:
    """Delete the remaining sessions. Return the names of starts whose session may still exist."""
    over, lost, calls = set(), list[str](), caller.calls
    for step in steps:
        call = calls.get(step.name)
        is_over = step.asks is DeleteRequest and call and "state" in call["result"]
        if is_over and step.of in caller.started:
            over.add(caller.started[step.of].session_id)
        # A rate-limited start creates no session. After any other lost response, a session may
        # exist. After a 2xx response without an id, it does.
        is_lost = call is None or call["lost"] not in ("", "429") or _is_answered(call)
        is_open = step.name in calls and is_lost
        if step.asks is StartRequest and step.name not in caller.started and is_open:
            lost.append(step.name)
    for name, record in caller.started.items():
        if record.session_id not in over:
            step = Step(name, "", asks=DeleteRequest, of=name)
            with contextlib.suppress(VendorError):
                result = caller.make(step, {}, None)["result"]
                over |= {record.session_id} if "state" in result else set()
    started = caller.started.items()
    return [*lost, *(name for name, record in started if record.session_id not in over)]


def ask_mock(caller: Caller, control: Any, steps: Sequence[Step], calls: Any, files: Any) -> None:
    """Send each call that the vendor answered to the mock too, and record the mock's claims."""
    results = {name: call["result"] for name, call in calls.items() if call and not call["lost"]}
    need, first = caller.vendor.sessions_need, _find_answers(calls.get("session"))
    # A workflow that does not exist at the vendor must not exist in the mock.
    if need and first != _find_answers(calls.get("session-bad-field")) and "session" in results:
        # A biometric workflow starts no session, because no face is stored. From here on, the mock
        # rejects all other workflows.
        kind = "biometric" if results["session"].get("error") == "RequestRejected" else "kyc"
        control.sessions.workflow(getattr(caller.backend, need), kind=kind)
    for step in [step for step in steps if step.name in results]:
        if step.of and step.of not in caller.started:
            continue
        result = results[step.name]
        control.clear_outcomes()
        # If no outcome is set, the mock reads cards and rejects files that are not pictures.
        is_pair = step.probe in ("same", "largest", "too-large") and step.reference != "no-face"
        # If the vendor found no face or several, send a card with no face or with two.
        instead: dict[str, Any] = {}
        warnings = result.get("warnings", ())
        is_shown = step.probe == "same" or "no_face" in results.get("same", {}).get("warnings", ())
        if result.get("faces", 0) > 1 or "multiple_faces" in warnings:
            instead = dict.fromkeys(("same", "largest"), files["two-faces"])
        elif is_pair and is_shown and "no_face" in warnings and result["score"] is None:
            places = (step.reference,) if result["faces"] else ("same", "largest")
            is_pair, instead = False, dict.fromkeys(places, files["no-face"])
        level = calls[step.name]["level"]
        if "decision" in result and is_pair:
            scored = results.get(step.scored_by, result) if step.beyond is not None else result
            score = choose_score(step, result, scored)
            control.set_outcome(step.operation.value, score=score, times=None)
        control.clear_journal()
        caller.calls[step.name] = caller.make(step, {**files, **instead}, level)
        *seen, whole = caller.calls[step.name]["seen"]
        whole["claims"] = ()
        for each, entry in zip(seen, control.journal(), strict=True):
            each["claims"] = entry.claims
            if each["role"] == "answer":
                whole["claims"] = entry.claims


def _find_answers(call: Any) -> list[Any]:
    return [each["aspects"] for each in (call or {}).get("seen", ()) if each["role"] == "answer"]


def choose_score(step: Step, result: Any, scored: Any) -> float:
    """Return the score to set in the mock, so that the mock makes the vendor's decision.

    This is the vendor's score or, if the vendor returned none, a score that fits the decision. A
    score up to 1 for two pictures of one person is on another scale and becomes 95. Without a
    threshold, decimals are added to show how many the mock returns, except to 0, 50 and 100.
    """
    verdict = {"match": 95.0, "live": 95.0, "review": 50.0}.get(result["decision"], 5.0)
    scores = [each["score"] for each in (result, scored) if each["score"] is not None]
    score = float([*scores, verdict][0])
    if step.reference == "again" and 0 < score <= 1:
        return 95.0
    return score if step.beyond is not None or score % 50 == 0 else score + 0.00123
