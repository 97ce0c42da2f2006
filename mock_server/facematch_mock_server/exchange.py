"""What becomes of one request: the answer, and where it breaks. Decided once, for every front.

A front asks three times: `at_connection` when a client connects, `opening` when the head is there,
`delivery` when the whole request is. It carries out what it is told with its own means.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

import attrs

from ._messages import Head, Request, Response
from .faults import Fault, Kind, Stage
from .fronts import own
from .protocols import Handler
from .state import StoreError

_log = logging.getLogger("facematch_mock_server")

#: What a header may carry; everything else would break the framing.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"([!-~\x80-\xff]([\t -~\x80-\xff]*[!-~\x80-\xff])?)?")

R = TypeVar("R", Response, Response | None)


@attrs.frozen(kw_only=True)
class Opening:
    """What the head of a request decides.

    Attributes:
        refusal: The answer that needs no body, or None if the body is wanted.
        fault: What will strike this request; None for nothing, and always with a refusal.
    """

    refusal: Response | None = None
    fault: Fault | None = None


@attrs.frozen(kw_only=True)
class Delivery:
    """What is sent for a whole request, and how it breaks.

    Attributes:
        response: The answer as it would be; None if no byte of one is sent.
        fault: How sending it goes wrong (never one at `Stage.ANSWER`); None if it does not.
        postponed: Nothing is carried out yet: wait `fault.seconds`, then, if the client is still
            there, ask for the `delivery` again without a fault.
    """

    response: Response | None = None
    fault: Fault | None = None
    postponed: bool = False


def has_body(method: str, status: int) -> bool:
    """Whether HTTP lets an answer of this status to this method carry a body."""
    return method != "HEAD" and status >= 200 and status not in (204, 304)


def at_connection(handler: Handler, peer: str) -> Fault | None:
    """The fault for a connection that was just made, noted in the journal; None for none."""
    fault = handler.faults.at_connection()
    if fault is not None:
        handler.note(own.nobody(peer), _words(fault))
    return fault


def opening(handler: Handler, head: Head) -> Opening:
    """What to do with a request whose head is known.

    A request that is refused for its head meets no fault and uses none up.
    """
    refusal = _guarded(lambda: handler.refuse_early(head))
    if refusal is not None:
        return Opening(refusal=refusal)
    fault = handler.faults.for_request(head)
    if fault is not None:
        handler.note(head, _words(fault))
    return Opening(fault=fault)


def too_large(handler: Handler, head: Head) -> Response:
    """The answer to a body that is over the limit. It meets no fault."""
    return _guarded(lambda: handler.too_large(head))


def delivery(handler: Handler, request: Request, fault: Fault | None) -> Delivery:
    """Carry out what is to be carried out, and say what is sent.

    Args:
        handler: The engine.
        request: The whole request; at `Stage.MID_UPLOAD` whatever there is of it.
        fault: As `opening` gave it.
    """
    if fault is None:
        return Delivery(response=_guarded(lambda: handler.handle(request)))
    return _AT[fault.stage](handler, request, fault)


def _after_upload(handler: Handler, request: Request, fault: Fault) -> Delivery:
    if not fault.executed:
        return Delivery(fault=fault, postponed=fault.kind is Kind.DELAY)
    response = _guarded(lambda: handler.handle(request))
    return Delivery(response=response if fault.kind is Kind.DELAY else None, fault=fault)


def _within(handler: Handler, request: Request, fault: Fault) -> Delivery:
    response = _guarded(lambda: handler.handle(request))
    bare = not response.body or not has_body(request.method, response.status)
    if fault.stage is Stage.MID_BODY and bare:
        # What has no body can only break before.
        fault = attrs.evolve(fault, stage=Stage.MID_HEADERS)
    return Delivery(response=response, fault=fault)


def _instead(handler: Handler, request: Request, fault: Fault) -> Delivery:
    if fault.executed:
        _guarded(lambda: handler.handle(request))
    return Delivery(response=_guarded(lambda: handler.answer_of(fault, request)))


_AT: dict[Stage, Callable[[Handler, Request, Fault], Delivery]] = {
    Stage.MID_UPLOAD: lambda _handler, _request, fault: Delivery(fault=fault),
    Stage.AFTER_UPLOAD: _after_upload,
    Stage.MID_HEADERS: _within,
    Stage.MID_BODY: _within,
    Stage.ANSWER: _instead,
}


def _words(fault: Fault) -> str:
    return f"fault: {fault.stage} {fault.kind}"


def _guarded(ask: Callable[[], R]) -> R:
    """The engine's answer if it can be sent; else, whatever went wrong, a 500 of ours."""
    try:
        response = ask()
        if response is not None:
            _check(response)
    except StoreError as error:
        _log.error("%s; every request is answered 500 until the mock is started again", error)
        return own.answer(500, own.NOT_KEPT)
    except Exception:  # noqa: BLE001 - a server answers 500 and lives on, whatever it was
        _log.exception("the engine failed over a request")
        return own.answer(500)
    return response


def _check(response: Response) -> None:
    for name, value in response.headers:
        if not _is_name(name) or not _is_value(value):
            raise ValueError(f"no header of HTTP: {name!r}")


@lru_cache(maxsize=128)
def _is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def _is_value(value: str) -> bool:
    # Most values are plain ASCII, and the pattern is slow over a list of claims.
    plain = value.isascii() and value.isprintable() and value.strip() == value
    return plain or _VALUE.fullmatch(value) is not None
