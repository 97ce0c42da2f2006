"""Making the calls, past the verifier: at the vendor with a journal, and again at its mock."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import attrs

import facematch_core as fm
from facematch_core.backend import LivenessCall, MatchCall, ignore
from facematch_core.cli.common import say
from facematch_core.errors import EnvironmentMismatch, VendorError, VendorUnavailable
from facematch_core.http import HttpReply, HttpRequest, is_loopback
from facematch_core.transport import host_of
from facematch_mock_server.recognition.sheet import card_sheet

from .aspects import reduce_outcome, reduce_reply
from .calls import Step, VendorCalls
from .journal import Journal


def make_files(pictures: Sequence[fm.Image], limit: int, kind: str) -> dict[str, Any]:
    """What is sent, by the names of `Step`: pictures without their metadata, and what is none."""

    def encode(form: str) -> bytes:
        content = io.BytesIO()
        pictures[0].to_pil().convert("RGB").save(content, form)
        return content.getvalue()

    def make_file(data: bytes, extension: str = "jpg", media_type: str = "image/jpeg") -> Any:
        return SimpleNamespace(data=data, extension=extension, media_type=media_type)

    text, jpeg = b"This is no picture. " * 100, encode("JPEG")
    return {
        **dict(zip(("same", "again", "other"), pictures, strict=True)),
        **{card: fm.Image.from_bytes(card_sheet()[card].data) for card in ("no-face", "two-faces")},
        "no-picture": make_file(text),
        "other-kind": make_file(text if kind == "txt" else encode(kind), kind, f"image/{kind}"),
        # Decoders stop at the end of the picture.
        "largest": make_file(jpeg.ljust(limit, b"\0")),
        "too-large": make_file(jpeg.ljust(limit + 1, b"\0")),
    }


class Caller:
    """A backend that makes calls as a `Step` says, and whose answers are overheard.

    Attributes:
        secrets: All that it has or has sent.
        pause_s: The wait before each request: as long as the vendor says; a mock needs none.
    """

    def __init__(self, backend: Any, vendor: VendorCalls, words: Collection[str]) -> None:
        self.backend, self.vendor, self._words = backend, vendor, words
        settings = attrs.asdict(backend, recurse=False).values()
        self.secrets = {value: None for value in settings if isinstance(value, fm.Secret)}
        windows = [each for each in backend.capabilities.rate_windows if each.seconds <= 60]
        self.pause_s = max((each.seconds / each.limit for each in windows), default=0.2)
        self.pause_s *= not is_loopback(host_of(backend.address))
        self._send, self._sign = backend.client.send, backend.sign
        backend.client.send, vars(backend)["sign"] = self._overhear, self._change_and_sign

    def make(
        self, step: Step, files: Any, level: float | None, begin: Callable[[], None] = ignore
    ) -> dict[str, Any]:
        """What is seen of a call with a threshold at `level`; `begin` comes before its first byte.

        A call that cost nothing and showed nothing raises its error.
        """
        self._step, self._level, self._replies = step, level, list[Any]()
        backend, before = self.backend, self._read_balance()
        count, rules = len(self._replies), backend.capabilities
        number = rules.default_for(step.operation) if level is None else level
        threshold = None if number is None else fm.Threshold(number, rules.threshold_rule)
        fields = {"probe": files[step.probe], "threshold": threshold, "on_sent": begin}
        outcome: Any
        try:
            if step.operation is fm.Operation.MATCH:
                outcome = backend.match(MatchCall(reference=files[step.reference], **fields))
            else:
                outcome = backend.check_liveness(LivenessCall(**fields))
        except VendorError as error:
            is_unsent = isinstance(error, VendorUnavailable) and len(self._replies) == count
            is_free = error.billing.charged is fm.Charged.NO
            is_empty = is_free and (is_unsent or isinstance(error, fm.RateLimited))
            if is_empty or isinstance(error, EnvironmentMismatch):
                raise
            outcome = error.with_traceback(None)
        after = self._read_balance()
        price = None if None in (before, after) else str(before - after)
        seen = {"outcome": reduce_outcome(outcome), "level": level, "price": price}
        return {**seen, "replies": self._replies, "on": f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"}

    def _change_and_sign(self, request: HttpRequest, call: Any, **how: Any) -> Any:
        if self._level is not None and self.vendor.threshold != "sent":
            fields = {**request.json, self.vendor.threshold: self._level}
            request = attrs.evolve(request, json=fields)
        change = self._step.unsigned
        return self._sign(change(request) if change else request, call, **how)

    def _overhear(self, request: HttpRequest, **how: Any) -> HttpReply:
        change = self._step.signed
        role = "login" if how.get("call_id") is None else "answer"
        return self._exchange(role, change(request) if change else request, **how)

    def _exchange(self, role: str, request: HttpRequest, **how: Any) -> HttpReply:
        time.sleep(self.pause_s)
        self.secrets |= dict.fromkeys(request.secrets)
        reply: HttpReply = self._send(request, **how)
        private = self.backend.capabilities.demographic_keys
        aspects = reduce_reply(reply, tuple(self.secrets), private, self._words)
        self._replies.append({"role": role, "aspects": aspects})
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
            return Decimal(str(reply.at(place))) if reply.status == 200 else None
        return None


def run_steps(
    caller: Caller, journal: Journal, steps: Sequence[Step], files: Any, budget: int
) -> bool:
    """Make the calls that were not made yet; False if the next one could cost more than is left."""
    most = caller.vendor.charges
    for step in steps:
        level = None
        if step.beyond is not None:
            scored = journal.calls.get(step.scored_by)
            score = scored["outcome"]["score"] if scored else None
            # Without a score there is no room on either side of it.
            level = -1.0 if score is None else score + step.beyond
        if step.name in journal.calls or not (level is None or 0 < level < 100):
            continue
        if journal.count_charges(most) + most > budget:
            return False
        say(f"  {step.name}: {step.sentence}", err=True)
        try:
            seen = caller.make(step, files, level, lambda name=step.name: journal.write(name))  # type: ignore[misc]
        except fm.RateLimited:
            journal.write(step.name, {})
            raise
        journal.write(step.name, seen)
    return True


def ask_mock(
    caller: Caller, control: Any, steps: Sequence[Step], calls: Mapping[str, Any], files: Any
) -> dict[str, Any]:
    """What the mock shows of the calls that the vendor has answered, and by which claims."""
    ours: dict[str, Any] = {}
    for step in steps:
        theirs = calls.get(step.name)
        # What is lost on its way shows nothing; a login may be all that a call needs.
        if not theirs or all(reply["role"] == "balance" for reply in theirs["replies"]):
            continue
        outcome = theirs["outcome"]
        control.clear_outcomes()
        # What is a card, or no picture, speaks for itself.
        is_pair = step.probe in ("same", "largest", "too-large") and step.reference != "no-face"
        if "decision" in outcome and is_pair:
            # A threshold can hide the score; where there is none, the verdict alone is known.
            scored = calls[step.scored_by]["outcome"] if step.beyond is not None else outcome
            verdict = {"match": 95.0, "live": 95.0, "review": 50.0}.get(outcome["decision"], 5.0)
            scores = [each["score"] for each in (outcome, scored) if each["score"] is not None]
            control.set_outcome(step.operation.value, score=[*scores, verdict][0], times=None)
        # Whose picture has several faces, the mock sees a card that has.
        several = {"same": files["two-faces"]} if outcome.get("faces", 0) > 1 else {}
        control.clear_journal()
        ours[step.name] = caller.make(step, {**files, **several}, theirs["level"])
        for reply, entry in zip(ours[step.name]["replies"], control.journal(), strict=True):
            reply["claims"] = entry.claims
    return ours
