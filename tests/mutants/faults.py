"""The faults that take more than a line: steps that a row of the table puts in, and classes."""

import contextlib
import functools
import io
import tempfile
import time

import attrs
from mutants.reference import KEY, ReferenceBackend
from PIL import Image as Pillow

import facematch_core as fm
from facematch_core.http import Wait

#: What a vendor answers of whom it accepts.
A_PASS = {"verdict": "yes", "score": 93.5, "warnings": [], "faces": {}, "id": "-"}

# Steps.


def quiet(call):
    return attrs.evolve(call, on_sent=lambda: None)


def swap(me, name, value):
    before = vars(me).get(name, value)
    vars(me)[name] = value
    return before


def remember(me, key, make):
    kept = vars(me).setdefault("remembered", {})
    if key not in kept:
        kept[key] = make()
    return kept[key]


def alter(error, **attributes):
    for name, value in attributes.items():
        setattr(error, name, value)
    return error


def refuse(error):
    raise error


def rescued(problems, then):
    """Replaces any method: where it fails so, `then` takes over, and may do it again."""

    def method(me, ok, *args, **how):
        try:
            return ok(*args, **how)
        except problems as error:
            return then(me, error, functools.partial(ok, *args, **how))

    return method


def tried(problems, do, *args):
    """What it gives; None if it fails so."""
    with contextlib.suppress(problems):
        return do(*args)


def write(data):
    with tempfile.TemporaryFile() as file:
        file.write(data)


def remembers_a_busy_poll(me, ok, refusal):
    """Replaces `refused`: the backend remembers that a poll was refused."""
    vars(me)["busy"] = True
    return ok(refusal)


def keeps_the_last_pass(me, ok, call):
    """Replaces `exchange`: after a pass, a no has the body of that pass."""
    status, body, problem = ok(call)
    verdict = as_dict(body).get("verdict")
    if verdict == "yes":
        vars(me)["last_pass"] = body
    if verdict == "no":
        body = vars(me).get("last_pass", body)
    return status, body, problem


def passes_what_was_limited(me, ok, call):
    """Replaces `exchange`: a call above the vendor's limit has the body of a pass."""
    status, body, problem = ok(call)
    if status == 429:
        return 200, A_PASS, None
    return status, body, problem


def keeps_the_poll(me, ok, reply):
    """Replaces `follow`: one poll is made, of the first job, and read for ever."""
    polls = remember(me, "polls", list)
    while True:
        yield Wait(0.01)
        if not polls:
            polls.append((yield me.poll(f"{me.service_url}{reply.headers['Location']}")))
        if me.is_done(polls[0].json()):
            return polls[0]


# Pictures: bytes of a file to bytes of a file.


def without_orientation(data, only):
    if fm.Image.from_bytes(data).orientation != only:
        return data
    buffer = io.BytesIO()
    Pillow.open(io.BytesIO(data)).save(buffer, "JPEG")
    return buffer.getvalue()


# Money and time.


class ReadsTheLateAnswerLater(ReferenceBackend):
    """An answer that came too late stays on the connection, and is read by the next call."""

    def exchange(self, call):
        line = vars(self).setdefault("line", [])
        status, body, problem = super().exchange(call)
        if isinstance(problem, fm.DeadlineExceeded):
            line.append({**A_PASS, "id": f"call-{self.vendor.requests_seen}-late"})
        elif line and status == 200:
            line.append(body)
            body = line.pop(0)
        return status, body, problem


class BillsByTheCounter(ReferenceBackend):
    """A call is said to have cost what the vendor's counter shows more after it."""

    def answer(self, call):
        before = self.vendor.charges
        result = super().answer(call)
        time.sleep(0.002)
        charges = self.vendor.charges - before
        bill = fm.Billing(fm.Charged.YES, "the vendor's counter", charges=charges)
        return attrs.evolve(result, billing=bill)


class TheNewestKeyForAll(ReferenceBackend):
    """The key is kept by the class, so all backends send the newest one."""

    newest_key = None

    def __init__(self, vendor, key=KEY):
        super().__init__(vendor, key)
        type(self).newest_key = self.key

    def request(self, call):
        return super().request(call) | {"key": self.newest_key.reveal()}


def nobody(call):
    match = call.operation is fm.Operation.MATCH
    kind = fm.MatchResult if match else fm.LivenessResult
    decision = fm.Decision.INCONCLUSIVE if match else fm.LivenessDecision.INCONCLUSIVE
    return kind(decision=decision, backend="reference")


def as_dict(body):
    return body if isinstance(body, dict) else {}
