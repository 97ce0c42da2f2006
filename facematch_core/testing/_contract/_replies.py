"""Answers that no vendor gave: what a backend makes of them, without a network."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from facematch_core import (
    Charged,
    Environment,
    FaceMatchError,
    LivenessResult,
    MatchResult,
    Operation,
    OutcomeUnknown,
    VendorError,
)
from facematch_core.backend import Call, LivenessCall, MatchCall, Secret
from facematch_core.http import MOCK_HEADER, HttpBackend, HttpReply
from facematch_core.models import Ids
from facematch_core.testing._situations import BEST, Situation

from ._bench import Bench, does_not_apply, not_tested
from ._outcome import Result

#: The methods of a backend that make results of answers.
_READERS = ("parse", "parse_refusal")
_RESULTS = (MatchResult, LivenessResult)
_CALLS: dict[Operation, type[Call]] = {
    Operation.MATCH: MatchCall,
    Operation.LIVENESS: LivenessCall,
}


def http_backend(bench: Bench) -> HttpBackend:
    """The backend, if it is one whose answers can be made up; skips if not."""
    if not isinstance(bench.backend, HttpBackend):
        does_not_apply(
            f"{bench.backend.name} is no HttpBackend: what answers look like to it, it alone knows."
        )
    return bench.backend


def asked(bench: Bench, operation: Operation, threshold: float | None = None) -> Call:
    """A call of `operation`, as the verifier would hand it over."""
    probe, reference = bench.double.pictures_for(BEST[operation])
    fields: dict[str, Any] = {"reference": reference} if operation is Operation.MATCH else {}
    fields["threshold"] = bench.threshold(operation, threshold)
    return _CALLS[operation](probe=probe, **fields)


def reply_of(
    bench: Bench, status: int, body: bytes, headers: Iterable[tuple[str, str]] = ()
) -> HttpReply:
    """A reply as the client would hand it over, to a request that carried the backend's secrets."""
    mock = bench.backend.environment is Environment.MOCK
    return HttpReply(
        status=status,
        body=body,
        headers=dict(headers) | ({MOCK_HEADER: "kit"} if mock else {}),
        secrets=tuple(Secret(text) for _, text in bench.secrets()),
    )


@attrs.frozen(kw_only=True)
class Recorded:
    """One answer of the double, with the call that it was given to, and how it was read.

    Attributes:
        call, reply: As the backend was handed them.
        result: What it made of them.
    """

    call: Call
    reply: HttpReply
    result: Result

    @property
    def document(self) -> Any:
        """The body, decoded."""
        return self.reply.json()

    def with_body(self, body: bytes) -> HttpReply:
        """The same reply with another body."""
        return attrs.evolve(self.reply, body=body)


def recorded(
    bench: Bench, operation: Operation, situation: Situation, threshold: float | None = None
) -> Recorded:
    """Ask the double once, and keep the answer; skips if it is not seen, or is no JSON."""
    backend = http_backend(bench)
    bench.need(situation)
    with _noted(backend) as seen:
        error = bench.ask_directly(operation, situation, threshold=threshold).error
    assert error is None, f"{situation.name} gave {error!r}"
    if not seen:
        not_tested(
            f"{backend.name} makes its result of {situation.name} without `parse` and "
            "`parse_refusal`, so that the answer is not seen."
        )
    call, reply = seen[-1]
    if not isinstance(_json_or_none(reply), (dict, list)):
        not_tested(
            f"What {backend.name} is answered in {situation.name} is no JSON object and no list."
        )
    result = read(backend, call, reply)
    assert isinstance(result, _RESULTS), f"read again, {situation.name} gave {result!r}"
    return Recorded(call=call, reply=reply, result=result)


@contextlib.contextmanager
def _noted(backend: HttpBackend) -> Iterator[list[tuple[Call, HttpReply]]]:
    """What the backend reads in the meantime, whatever the status of the answer."""
    seen: list[tuple[Call, HttpReply]] = []

    def noting(name: str) -> None:
        reading = getattr(backend, name)

        def read_and_noted(call: Any, reply: HttpReply) -> Any:
            seen.append((call, reply))
            return reading(call, reply)

        # Not as an attribute, which a frozen class forbids to set.
        vars(backend)[name] = read_and_noted

    for name in _READERS:
        noting(name)
    try:
        yield seen
    finally:
        for name in _READERS:
            del vars(backend)[name]


def _json_or_none(reply: HttpReply) -> Any:
    try:
        return reply.json()
    except ValueError:
        return None


def read(backend: HttpBackend, call: Call, reply: HttpReply) -> Result | FaceMatchError:
    """What the backend makes of a reply; anything but a result or one error of ours is a fault."""
    told = backend.read_reply(call, reply)
    assert isinstance(told, (*_RESULTS, FaceMatchError)), type(told).__name__
    return told


def agrees(error: FaceMatchError, backend: HttpBackend, status: int, where: str) -> None:
    """Assert that an error agrees with itself and with its status about money.

    Args:
        error: What came of a reply.
        backend: Whose error it is.
        status: That of the reply.
        where: What was answered to what, for messages.
    """
    assert isinstance(error, VendorError), f"{where}: {error!r}"
    assert error.status_code == status, f"{where}: {error!r}"
    assert error.backend == backend.name, f"{where}: {error!r}"
    unknown = error.billing.charged is Charged.UNKNOWN
    assert isinstance(error, OutcomeUnknown) == unknown, (
        f"{where}: {error!r} is {error.billing.charged}"
    )
    assert not error.retryable or error.billing.charged is Charged.NO, (
        f"{where}: repeated and paid twice"
    )
    wait_s = getattr(error, "retry_after_s", None)
    assert wait_s is None or (math.isfinite(wait_s) and wait_s >= 0), f"{where}: waits {wait_s} s"
    assert str(error).strip(), f"{where}: an error without a sentence"


def told_of(error: FaceMatchError) -> str:
    """Everything that is printed of an error, and what it carries."""
    return f"{error} {error!r} {vars(error)}"


def timeless(result: Result, *, same_call: bool = True) -> tuple[Result, Any]:
    """`result` for a comparison, without times; for another call also without ids and raw."""
    about: dict[str, Any] = {"created_at": None, "elapsed_s": 0.0}
    if not same_call:
        about |= {"ids": Ids()}
    raw = json.loads(json.dumps(result.raw)) if same_call else None
    return attrs.evolve(result, **about), raw
