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

from facematch_core import (
    Charged,
    FaceMatchError,
    Image,
    InvalidRequest,
    Operation,
    RateLimited,
    Secret,
    Threshold,
)
from facematch_core.backend import LivenessCall, MatchCall
from facematch_core.cli.common import say
from facematch_core.errors import EnvironmentMismatch, VendorError, VendorUnavailable
from facematch_core.files import OWNER_ONLY
from facematch_core.http import HttpReply, HttpRequest, is_loopback
from facematch_core.transport import host_of
from facematch_mock_server.recognition.sheet import card_sheet

from .calls import Step, VendorCalls
from .observing import observe, observe_outcome


def make_files(pictures: Mapping[str, Image], limit: int | None, kind: str) -> dict[str, Any]:
    """What is sent, by the names of `Step`: pictures without their metadata, and what is none."""

    def encode(form: str) -> bytes:
        content = io.BytesIO()
        pictures["same"].to_pil().convert("RGB").save(content, form)
        return content.getvalue()

    text, jpeg = b"This is no picture. " * 100, encode("JPEG")
    files = {
        "no-picture": (text, "jpg", "image/jpeg"),
        "other-kind": (text, kind, "text/plain") if kind == "txt" else (encode(kind), kind, f"image/{kind}"),
        "largest": (jpeg.ljust(limit or 0, b"\0"), "jpg", "image/jpeg"),
        "too-large": (jpeg.ljust((limit or 0) + 1, b"\0"), "jpg", "image/jpeg"),
    }
    names = ("data", "extension", "media_type")
    sent = {name: SimpleNamespace(**dict(zip(names, file, strict=True))) for name, file in files.items()}
    return {**pictures, "no-face": Image.from_bytes(card_sheet()["no-face"].data), **sent}


class Line:
    """A backend, and what is overheard of it, with all secrets that were sent."""

    def __init__(self, backend: Any, vendor: VendorCalls) -> None:
        self.backend, self.vendor = backend, vendor
        self.secrets: dict[Secret, None] = {}

    def ask(
        self,
        step: Step,
        files: Mapping[str, Any],
        value: float | None,
        begin: Callable[[], None] = lambda: None,
    ) -> dict[str, Any]:
        """Make one call at a threshold; `begin` comes before the first byte leaves."""
        backend, replies, logins = self.backend, [], []
        client, sign, can = backend.client, backend.sign, backend.capabilities
        send, field = client.send, self.vendor.threshold

        def overhear(request: HttpRequest, **how: Any) -> HttpReply:
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
        threshold = None if level is None else Threshold(level, can.threshold_rule)
        fields = {"probe": files[step.probe], "threshold": threshold, "on_sent": begin}
        client.send, vars(backend)["sign"] = overhear, change
        # What is refused on purpose is not repeated.
        vars(backend)["should_relogin"] = lambda *asked: not step.signed and relogin(*asked)
        relogin = type(backend).should_relogin.__get__(backend)
        try:
            if step.operation is Operation.MATCH:
                outcome = backend.match(MatchCall(reference=files[step.reference], **fields))
            else:
                outcome = backend.check_liveness(LivenessCall(**fields))
        except EnvironmentMismatch:
            raise
        except FaceMatchError as error:
            outcome = error.with_traceback(None)
        finally:
            del client.send, vars(backend)["sign"], vars(backend)["should_relogin"]
        seen = {"replies": replies, "login": logins[-1:], "outcome": observe_outcome(outcome)}
        if seen["outcome"]["charged"] == Charged.NO and isinstance(outcome, VendorError):
            if isinstance(outcome, VendorUnavailable) and not replies + logins:
                raise outcome
            if isinstance(outcome, RateLimited):
                seen["void"] = "too many calls"
        return {**seen, "threshold": value}

    def balance(self) -> tuple[Decimal | None, list[Any]]:
        """What is left at the vendor, None where nobody says; and what its answer shows."""
        if self.vendor.balance is None:
            return None, []
        path, place, names = self.vendor.balance
        headers = {name: getattr(self.backend, setting) for name, setting in names.items()}
        request = HttpRequest(method="GET", url=self.backend.address + path, headers=headers)
        try:
            reply = self.backend.client.send(request, backend=self.backend.name, charges=0)
            left = Decimal(str(reply.at(place))) if reply.status == 200 else None
        except (VendorError, ArithmeticError):
            return None, []
        return left, [observe(reply, (), tuple(self.secrets))]

    def pause(self) -> None:
        """Keep to the rates that the vendor publishes; a mock needs no time."""
        windows = self.backend.capabilities.rate_windows
        if not is_loopback(host_of(self.backend.address)):
            spans = [window.seconds / window.calls for window in windows if window.seconds <= 60]
            time.sleep(max(spans, default=0.2))


class Journal:
    """What was begun and what ended, on the disk before anything else happens.

    It is the owner's alone, holds what `observing` lets through, and belongs to one plan.
    """

    def __init__(self, path: Path, plan: Sequence[object]) -> None:
        self.begun: set[str] = set()
        self.ended: dict[str, Any] = {}
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, OWNER_ONLY)
            with contextlib.suppress(ImportError):  # Windows
                import fcntl

                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            content = path.read_bytes()
            # The lines that are whole: the last one may have been cut off.
            os.ftruncate(self._file, content.rfind(b"\n") + 1)
            head, *lines = [json.loads(line) for line in content.split(b"\n")[:-1]] or [{}]
            # Salted: nobody can look for a picture by it.
            salt = head["salt"] if head else os.urandom(16).hex()
            digest = hashlib.sha256(repr((salt, *plan)).encode()).hexdigest()
            if not head:
                self.write(salt=salt, plan=digest)
            is_same = not head or head["plan"] == digest
            for line in lines:
                self._take(line)
        except BlockingIOError:
            raise InvalidRequest(f"{path} is in use by another process: wait for its end.") from None
        except OSError as error:
            raise InvalidRequest(f"{path} cannot be written ({error.strerror}).") from None
        except (ValueError, LookupError, TypeError):
            raise InvalidRequest(f"{path} is no journal of parity: name another --out.") from None
        if not is_same:
            raise InvalidRequest(
                f"{path} is the journal of another profile, edition or other pictures: name "
                "another --out, or go on with what it was begun with."
            )

    def write(self, **line: Any) -> None:
        """Write one line, and let it reach the disk."""
        os.write(self._file, json.dumps(line).encode() + b"\n")
        os.fsync(self._file)
        self._take(line)

    def _take(self, line: Mapping[str, Any]) -> None:
        if "begin" in line:
            self.begun.add(line["begin"])
        elif "end" in line:
            self.ended[line["end"]] = line["seen"]
            if "void" in line["seen"]:
                self.begun.discard(line["end"])

    def is_done(self, name: str) -> bool:
        """Whether a call is not to be made again."""
        return name in self.begun or (name in self.ended and "void" not in self.ended[name])

    def count(self, most: int) -> int:
        """The charges so far: of a call of which nobody knows all that it can cost, `most`."""
        total = 0
        for name in self.begun | {*self.ended}:
            outcome = self.ended[name]["outcome"] if name in self.ended else {"charged": "unknown"}
            is_free = outcome["charged"] == Charged.NO or "void" in self.ended.get(name, ())
            if not is_free or float(self.ended[name].get("price", 0)) > 0:
                total += min(most, outcome.get("charges") or most)
        return total

    def close(self) -> None:
        """Close the file, and with it the lock."""
        os.close(self._file)


def place_threshold(step: Step, ended: Mapping[str, Any]) -> float | None:
    """Where the threshold of a call lies; None where there is no score, or no room for it."""
    score = ended.get(step.scored_by, {"outcome": {}})["outcome"].get("score")
    if score is None:
        return None
    value = {"below": round(score - 1), "at": score, "above": round(score + 1)}[step.place]
    return float(value) if 0 < value < 100 else None


def run_steps(
    line: Line,
    journal: Journal,
    steps: Sequence[Step],
    files: Mapping[str, Any],
    budget: int,
) -> bool:
    """Make the calls that were not made yet; False if the next one could cost more than is left."""
    most = line.vendor.charges
    for step in steps:
        value = place_threshold(step, journal.ended) if step.place else None
        if journal.is_done(step.name) or (step.place and value is None):
            continue
        if journal.count(most) + most > budget:
            return False
        say(f"  {step.name}: {step.sentence}", err=True)
        seen = ask(line, step, files, value, lambda: journal.write(begin=step.name))  # noqa: B023 - called at once
        journal.write(end=step.name, seen={**seen, "on": f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"})
        line.pause()
    return True


def ask(line: Line, *asked: Any) -> dict[str, Any]:
    """`Line.ask`, with the balance before and after it."""
    before, _ = line.balance()
    seen = line.ask(*asked)
    after, seen["balance"] = line.balance()
    price = {} if before is None or after is None else {"price": str(before - after)}
    return seen | price


def ask_mock(
    line: Line, control: Any, steps: Sequence[Step], theirs: Mapping[str, Any], files: Mapping[str, Any]
) -> dict[str, Any]:
    """What the mock shows of the calls that the vendor has answered, and by which claims."""
    made = {step: theirs[step.name] for step in steps if step.name in theirs}
    made = {step: seen for step, seen in made.items() if "void" not in seen}
    scores = [seen["outcome"].get("score") or 0.0 for seen in made.values()]
    # A vendor that counts to 1 where it should count to 100 is not to be taken at its word.
    factor = 100 if 0 < max(scores, default=0) <= 1 else 1
    ours = {}
    for step, seen in made.items():
        control.clear_outcomes()
        outcome, score = seen["outcome"], seen["outcome"].get("score")
        # What is a card, or no picture, speaks for itself.
        is_pair = step.probe in ("same", "largest", "too-large") and step.reference != "no-face"
        if "decision" in outcome and is_pair:
            # Where the vendor's number is no score, its verdict alone is known.
            verdicts = {"match": 95.0, "live": 95.0, "no_match": 5.0, "not_live": 5.0}
            score = verdicts.get(outcome["decision"], 50.0) if score is None else score * factor
            faces = outcome["faces"] if outcome["faces"] > 1 else None
            control.set_outcome(step.operation.value, score=score, faces=faces, times=None)
        control.clear_journal()
        mock = ask(line, step, files, seen["threshold"])
        entries, count = control.journal(), len(mock["replies"])
        path = line.vendor.balance[0] if line.vendor.balance else None
        cited = [entry.claims for entry in entries if entry.path != path]
        mock["claims"] = {
            "login": cited[: len(cited) - count][-1:],
            "replies": cited[len(cited) - count :],
            "balance": [entry.claims for entry in entries if entry.path == path][-1:],
        }
        ours[step.name] = mock
    return ours
