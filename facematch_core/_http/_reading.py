"""What a reply means for a backend: the result, or the error, with nothing in it that is secret."""

from __future__ import annotations

from pathlib import PurePath
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from facematch_core import Billing, Ids
from facematch_core.errors import EnvironmentMismatch, UnexpectedResponse, VendorError
from facematch_core.models import (
    Charged,
    Environment,
    LivenessResult,
    MatchResult,
    Operation,
    Result,
)

from ._errors import vendor_error
from ._masking import mask_error, masked_result
from ._messages import HttpReply

if TYPE_CHECKING:
    from facematch_core.backend import Call
    from facematch_core.http import HttpBackend

#: Every answer of a mock server carries this header, and no vendor's does.
MOCK_HEADER = "X-Facematch-Mock"

K = TypeVar("K", bound=Result)

#: What a call of each operation gives.
KINDS: dict[Operation, Any] = {
    Operation.MATCH: MatchResult,
    Operation.LIVENESS: LivenessResult,
}

#: Whether an answer 200 that cannot be read was charged: in a message, and as the ground.
_CHARGED = ("It counts as charged", "a 200 answer is taken as charged")
_FREE = ("It is not charged", "the vendor charges nothing for it")


def meaning(
    backend: HttpBackend, call: Call, reply: HttpReply, kind: type[K]
) -> K | VendorError | EnvironmentMismatch:
    """The result of this kind, or the error to raise, new and without a traceback."""
    answer = _read(backend, call, reply, kind)
    if is_believed(backend, reply):
        return answer
    return EnvironmentMismatch(
        f"The backend {backend.name} is set to mock, but what answered ({reply.status}) does not "
        "say that it is a mock, and may be the real vendor: check the address and the environment.",
        environment=Environment.PRODUCTION,
        billing=answer.billing,
        ids=Ids(call=call.call_id),
        result=answer if isinstance(answer, (MatchResult, LivenessResult)) else None,
    )


def is_believed(backend: HttpBackend, reply: HttpReply) -> bool:
    """Whether a reply is from where it should be: a mock must say that it is one."""
    return backend.environment is not Environment.MOCK or _environment(reply) is not None


def default_error(backend: HttpBackend, reply: HttpReply, call: Call) -> VendorError:
    """The error of the backend's table for a reply."""
    return vendor_error(
        reply,
        backend.error_table,
        backend=backend.name,
        now=backend.client.clock.now(),
        reconcilable=backend.reconcilable(call),
        ids=Ids(call=call.call_id),
    )


def _read(backend: HttpBackend, call: Call, reply: HttpReply, kind: type[K]) -> K | VendorError:
    if reply.status != 200:
        refusal = _refusal(backend, reply, call)
        if isinstance(refusal, kind):
            return _told(refusal, reply)
        return _clean(_error(backend, reply, call), backend, call, reply)
    try:
        result = backend.parse(call, reply)
    except VendorError as error:
        return _clean(error, backend, call, reply)
    except Exception as error:  # noqa: BLE001 - it is paid for: the caller must learn that, whatever a plug-in trips over
        problem = f"{type(error).__name__} {_where(error.__traceback__)}"
    else:
        if isinstance(result, kind):
            return _told(result, reply)
        problem = f"its parse gives {type(result).__name__}, not {kind.__name__}"
    paid = call.operation in backend.capabilities.billed_operations
    counts, ground = _CHARGED if paid else _FREE
    return UnexpectedResponse(
        f"{backend.name} answered 200 in a form that cannot be read ({problem}). {counts}; please "
        "report it.",
        backend=backend.name,
        billing=Billing(Charged.YES if paid else Charged.NO, ground),
        ids=Ids(call=call.call_id),
        status_code=reply.status,
        environment=_environment(reply),
    )


def _told(result: K, reply: HttpReply) -> K:
    return masked_result(result, reply.secrets, _environment(reply))


def _refusal(backend: HttpBackend, reply: HttpReply, call: Call) -> Result | None:
    try:
        return backend.parse_refusal(call, reply)
    except Exception:  # noqa: BLE001 - as in _error: the status decides then
        return None


def _error(backend: HttpBackend, reply: HttpReply, call: Call) -> VendorError:
    try:
        return backend.error(reply, call)
    except Exception:  # noqa: BLE001 - a plug-in's reading of an odd body must not hide the status
        return default_error(backend, reply, call)


def _clean(error: VendorError, backend: HttpBackend, call: Call, reply: HttpReply) -> VendorError:
    """`error` without traceback and without secrets that the vendor echoed."""
    mask_error(error, reply.secrets)
    error.environment = error.environment or _environment(reply)
    error.backend = error.backend or backend.name
    error.ids = attrs.evolve(error.ids, call=error.ids.call or call.call_id)
    error.status_code = error.status_code or reply.status
    return error.with_traceback(None)


def _environment(reply: HttpReply) -> Environment | None:
    return Environment.MOCK if MOCK_HEADER in reply.headers else None


def _where(traceback: TracebackType | None) -> str:
    """File and line of the innermost frame: of the plug-in's code, never of the data."""
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return "at an unknown place"
    file = PurePath(traceback.tb_frame.f_code.co_filename).name
    return f"in {file}, line {traceback.tb_lineno}"
