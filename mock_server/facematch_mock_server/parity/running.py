"""Making the calls, past the verifier, with a journal that is written before each first byte."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import io
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs

import facematch_core as fm
from facematch_core.backend import LivenessCall, MatchCall
from facematch_core.cli.common import say
from facematch_core.errors import EnvironmentMismatch, VendorError, VendorUnavailable
from facematch_core.files import OWNER_ONLY
from facematch_core.http import HttpReply, HttpRequest, is_loopback
from facematch_core.transport import host_of
from facematch_mock_server.recognition.sheet import card_sheet

from .calls import Step, VendorCalls
from .observing import observe, observe_outcome


def make_files(pictures: Sequence[fm.Image], limit: int, kind: str) -> dict[str, Any]:
    """What is sent, by the names of `Step`: pictures without their metadata, and what is none."""

    def encode(form: str) -> bytes:
        content = io.BytesIO()
        pictures[0].to_pil().convert("RGB").save(content, form)
        return content.getvalue()

    # Decoders stop at the end of the picture.
    text, jpeg = b"This is no picture. " * 100, encode("JPEG")
    odd = {
        "no-picture": (text, "jpg", "image/jpeg"),
        "other-kind": (text if kind == "txt" else encode(kind), kind, f"image/{kind}"),
        "largest": (jpeg.ljust(limit, b"\0"), "jpg", "image/jpeg"),
        "too-large": (jpeg.ljust(limit + 1, b"\0"), "jpg", "image/jpeg"),
    }
    files: dict[str, Any] = {
        name: SimpleNamespace(data=data, extension=extension, media_type=media_type)
        for name, (data, extension, media_type) in odd.items()
    }
    files["no-face"] = fm.Image.from_bytes(card_sheet()["no-face"].data)
    return files | dict(zip(("same", "again", "other"), pictures, strict=True))


class Line:
    """A backend, and what is overheard of it, with all secrets that were sent."""

    def __init__(self, backend: Any, vendor: VendorCalls) -> None:
        self.backend, self.vendor = backend, vendor
        settings = attrs.asdict(backend, recurse=False).values()
        self.secrets = {value: None for value in settings if isinstance(value, fm.Secret)}
        windows = [each for each in backend.capabilities.rate_windows if each.seconds <= 60]
        is_mock = is_loopback(host_of(backend.address))
        # As fast as the vendor says; a mock needs no time.
        self.pause_s = max((each.seconds / each.limit for each in windows), default=0.2)
        self.pause_s *= not is_mock

    def ask(
        self, step: Step, files: Any, value: float | None, begin: Callable[[], None] = lambda: None
    ) -> dict[str, Any]:
        """What is observed of a call at a threshold; `begin` comes before its first byte."""
        backend, replies, logins = self.backend, list[Any](), list[Any]()
        client, can, methods = backend.client, backend.capabilities, vars(backend)
        send, sign, relogin = client.send, backend.sign, backend.should_relogin
        field, (before, _) = self.vendor.threshold, self._look_at_balance()

        def overhear(request: HttpRequest, **how: Any) -> HttpReply:
            time.sleep(self.pause_s)
            request = step.signed(request) if step.signed else request
            self.secrets |= dict.fromkeys(request.secrets)
            reply: HttpReply = send(request, **how)
            kept = logins if how.get("call_id") is None else replies
            kept.append(observe(reply, can.demographic_keys, tuple(self.secrets)))
            return reply

        def change(request: HttpRequest, call: Any, **how: Any) -> Any:
            if value is not None and field != "sent":
                request = attrs.evolve(request, json={**request.json, field: value})
            return sign(step.unsigned(request) if step.unsigned else request, call, **how)

        level = can.default_for(step.operation) if value is None else value
        threshold = None if level is None else fm.Threshold(level, can.threshold_rule)
        fields = {"probe": files[step.probe], "threshold": threshold, "on_sent": begin}
        client.send, methods["sign"] = overhear, change
        # What is refused on purpose is not repeated.
        methods["should_relogin"] = lambda *refusal: not step.signed and relogin(*refusal)
        outcome: Any
        try:
            if step.operation is fm.Operation.MATCH:
                outcome = backend.match(MatchCall(reference=files[step.reference], **fields))
            else:
                outcome = backend.check_liveness(LivenessCall(**fields))
        except VendorError as error:
            is_unsent = isinstance(error, VendorUnavailable) and not replies + logins
            if isinstance(error, EnvironmentMismatch) or (is_unsent and _is_free(error)):
                raise
            outcome = error.with_traceback(None)
        finally:
            del client.send, methods["sign"], methods["should_relogin"]
        after, balance = self._look_at_balance()
        price = {} if None in (before, after) else {"price": str(before - after)}
        is_void = isinstance(outcome, fm.RateLimited) and _is_free(outcome)
        seen = {"replies": replies, "login": logins[-1:], "balance": balance, **price}
        return {**seen, "outcome": observe_outcome(outcome), "threshold": value, "void": is_void}

    def _look_at_balance(self) -> tuple[Any, list[Any]]:
        """What is left at the vendor, None where nobody says; and what its answer shows."""
        if self.vendor.balance is None:
            return None, []
        path, place, names = self.vendor.balance
        headers = {name: getattr(self.backend, setting) for name, setting in names.items()}
        request = HttpRequest(method="GET", url=self.backend.address + path, headers=headers)
        with contextlib.suppress(VendorError, ArithmeticError):
            time.sleep(self.pause_s)
            reply = self.backend.client.send(request, backend=self.backend.name, charges=0)
            amount = Decimal(str(reply.at(place))) if reply.status == 200 else None
            return amount, [observe(reply, (), tuple(self.secrets))]
        return None, []


def _is_free(error: VendorError) -> bool:
    return error.billing.charged is fm.Charged.NO


class Journal:
    """What was begun (None) and what ended, on the disk before anything else happens.

    It is the owner's alone, belongs to one plan, and holds what `observing` lets through.
    """

    def __init__(self, path: Path, plan: Sequence[object]) -> None:
        self.calls: dict[str, Any] = {}
        problem = "is the journal of another profile, edition or other pictures"
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, OWNER_ONLY)
            with contextlib.suppress(ImportError):  # Windows
                import fcntl

                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            content = path.read_bytes()
            # The last line may have been cut off.
            lines = [json.loads(line) for line in content.split(b"\n")[:-1]]
            salt = lines[0]["salt"] if lines else os.urandom(16).hex()
            # Salted: nobody can look for a picture by it.
            digest = hashlib.sha256(repr((salt, *plan)).encode()).hexdigest()
            if not lines or lines[0]["plan"] == digest:
                problem = ""
            for line in lines[1:]:
                self._take(**line)
        except OSError as error:
            problem = f"cannot be used ({error.strerror})"
        except (ValueError, LookupError, TypeError):
            problem = "is no journal of parity"
        if problem:
            raise fm.InvalidRequest(f"{path} {problem}: name another --out.")
        os.ftruncate(self._file, content.rfind(b"\n") + 1)
        if not lines:
            self._write({"salt": salt, "plan": digest})

    def write(self, call: str, seen: Any = None) -> None:
        """Write that a call begins, or what was seen of it."""
        self._write({"call": call, "seen": seen})
        self._take(call, seen)

    def _write(self, line: Any) -> None:
        os.write(self._file, json.dumps(line).encode() + b"\n")
        os.fsync(self._file)

    def _take(self, call: str, seen: Any) -> None:
        self.calls[call] = seen
        if seen and seen["void"]:
            del self.calls[call]

    def count(self, most: int) -> int:
        """The charges so far: of a call of which nobody knows all that it can cost, `most`."""
        total = 0
        for seen in self.calls.values():
            bill: Any = seen["outcome"] if seen else {"charged": "unknown"}
            if bill["charged"] != "no" or Decimal(seen.get("price", 0)) > 0:
                total += min(most, bill.get("charges") or most)
        return total

    def close(self) -> None:
        """Close the file, and with it the lock."""
        os.close(self._file)


def run_steps(line: Line, journal: Journal, steps: Sequence[Step], files: Any, budget: int) -> bool:
    """Make the calls that were not made yet; False if the next one could cost more than is left."""
    for step in steps:
        value: float | None = None
        if step.place:
            scored = journal.calls.get(step.scored_by) or {"outcome": {}}
            # Without a score there is no room on either side of it.
            score = scored["outcome"].get("score")
            score = -9.0 if score is None else score
            value = {"below": round(score - 1), "at": score, "above": round(score + 1)}[step.place]
        if step.name in journal.calls or not (value is None or 0 < value < 100):
            continue
        if journal.count(line.vendor.charges) + line.vendor.charges > budget:
            return False
        say(f"  {step.name}: {step.sentence}", err=True)
        seen = line.ask(step, files, value, lambda: journal.write(step.name))  # noqa: B023 - called at once
        journal.write(step.name, {**seen, "on": f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"})
    return True


def ask_mock(
    line: Line, control: Any, steps: Sequence[Step], calls: Mapping[str, Any], files: Any
) -> dict[str, Any]:
    """What the mock shows of the calls that the vendor has answered, and by which claims."""
    scores = [seen["outcome"].get("score") or 0.0 for seen in calls.values() if seen]
    # A vendor that counts to 1 where it should count to 100 is not to be taken at its word.
    factor = 100 if 0 < max(scores, default=0) <= 1 else 1
    two_faces = fm.Image.from_bytes(card_sheet()["two-faces"].data)
    path, ours = line.vendor.balance and line.vendor.balance[0], {}
    # What is lost on its way shows nothing; a login may be all that a call needs.
    made = {n: seen for n, seen in calls.items() if seen and (seen["replies"] or seen["login"])}
    for step in [step for step in steps if step.name in made]:
        outcome = calls[step.name]["outcome"]
        control.clear_outcomes()
        # What is a card, or no picture, speaks for itself.
        is_pair = step.probe in ("same", "largest", "too-large") and step.reference != "no-face"
        if "decision" in outcome and is_pair:
            # A threshold can hide the score; where the number is none, the verdict alone is known.
            scored = calls[step.scored_by]["outcome"] if step.place else outcome
            score = scored["score"] if outcome["score"] is None else outcome["score"]
            verdict = {"match": 95.0, "live": 95.0, "review": 50.0}.get(outcome["decision"], 5.0)
            score = verdict if score is None else score * factor
            control.set_outcome(step.operation.value, score=score, times=None)
        # Whose picture has several faces, the mock sees a card that has.
        several = {"same": two_faces} if outcome.get("faces", 0) > 1 else {}
        control.clear_journal()
        seen = line.ask(step, {**files, **several}, calls[step.name]["threshold"])
        cited = [entry.claims for entry in control.journal() if entry.path != path]
        count = len(cited) - len(seen["replies"])
        about = [entry.claims for entry in control.journal() if entry.path == path][-1:]
        claims = {"login": cited[:count][-1:], "replies": cited[count:], "balance": about}
        ours[step.name] = {**seen, "claims": claims}
    return ours
