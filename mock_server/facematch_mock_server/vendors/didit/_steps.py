"""The checks of the body and what follows: fields, sandbox, credit, pictures, the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from facematch_mock_server._keys import KeyKind
from facematch_mock_server._ledger import FIRST_OWNER, Ledger
from facematch_mock_server._messages import Response
from facematch_mock_server._sessions import Session
from facematch_mock_server.claims import Behaviours
from facematch_mock_server.forms import Form, FormError, read_form

from . import _access, _media, _screening, _shapes
from ._call import Call
from ._fields import read_fields
from ._records import records_of
from ._seams import status_updated


def fields(call: Call) -> Response | None:
    """The form and its fields."""
    told = call.told
    try:
        form = call.form = _form(call)
    except FormError as error:
        return told.answer("form.refused", headers=call.headers, problem=str(error))
    if form.problem and not told["form.partial"]:
        return told.answer("form.refused", headers=call.headers, problem=form.problem)
    call.values, errors = read_fields(told, call.endpoint.fields, form)
    return told.answer("fields.refused", errors, call.headers) if errors else None


def _form(call: Call) -> Form:
    if not call.request.body or not _access.is_readable(call):
        return Form()
    content_type = call.request.header("content-type") or ""
    return read_form(
        content_type,
        call.request.body,
        digest=call.world.digest,
        decodes=lambda: bool(call.told["form.base64"]),
    )


def sandbox(call: Call) -> Response | None:
    """The short cut of a sandbox key."""
    if call.key is None or call.key.kind is not KeyKind.SANDBOX:
        return None
    told, request_id = call.told, call.world.ids.uuid()
    block = call.endpoint.canned(told)
    _screening.prepare_sandbox(call)
    if told["credit.sandbox"]:
        _charge(call, request_id)
    if told["session.sandbox"]:
        _keep(call, request_id, block)
    _screening.enrol_sandbox(call)
    key, body = f"{call.endpoint.name}.answer", _envelope(call, request_id, block)
    sent = [name for name in told.peek("answer.echo") if body[name] is not None]
    if sent and not told["sandbox.echo"]:
        body.update(dict.fromkeys(sent))
    return told.answer(key, body, call.headers)


def credit(call: Call) -> Response | None:
    """Whether the call can be paid."""
    if not _access.is_live(call):
        return None
    told, balance = call.told, _ledger(call).balance
    price = told.peek(f"credit.price.{call.endpoint.name}")
    short = balance <= 0 if told.peek("credit.last_cent") else balance < price
    return _unpaid(call) if short else None


def picture(call: Call) -> Response | None:
    """What is seen in the pictures, and whether they are pictures at all."""
    endpoint = call.endpoint
    if any(call.values.get(f.name) is None for f in endpoint.fields if f.name.endswith("_image")):
        return None
    call.outcome = endpoint.decide(call)
    key = None if endpoint.scored(call.outcome) else endpoint.faceless
    if endpoint.undecodable(call.outcome):
        key = f"{endpoint.name}.undecodable"
    if key is None:
        return None
    return None if call.told[key] is None else call.told.answer(key, headers=call.headers)


def finish(call: Call) -> Response:
    """The verdict; charged, and kept if the caller wants that."""
    told, endpoint, request_id = call.told, call.endpoint, call.world.ids.uuid()
    block = endpoint.judge(call)
    # What looks at pictures may fail, so it comes before the charge.
    _screening.prepare(call)
    if _is_charged(call, block) and not _charge(call, request_id):
        # Another call took the last credit in the meantime.
        return _unpaid(call)
    try:
        kept = told["session.saved" if call.saved else "session.unsaved"]
        _screening.enrol(call, _keep(call, request_id, block) if kept else None)
        key = "answer" if endpoint.scored(call.outcome) else "no_pair"
        body = _envelope(call, request_id, block)
        return told.answer(f"{endpoint.name}.{key}", body, call.headers)
    except BaseException:
        _undo(call, request_id)
        raise


def _undo(call: Call, request_id: str) -> None:
    """What is not answered 200 costs nothing and leaves nothing behind."""
    world = call.world
    world.ledgers.take_back(_ledger(call).owner, request_id)
    session = world.sessions.remove(request_id)
    if session is not None:
        records_of(world).pictures.forget(session.id)
        for face in records_of(world).faces.of_session(session.id):
            records_of(world).faces.remove(face.id)


def refused(call: Call) -> None:
    """What an answer other than 200 costs."""
    if _access.is_live(call) and call.told["credit.other_status"]:
        _charge(call, None)


STEPS: dict[str, Callable[[Call], Response | None]] = {
    "rate": _access.rate,
    "access": _access.access,
    "method": _access.method,
    "fields": fields,
    "sandbox": sandbox,
    "credit": credit,
    "picture": picture,
}


def in_order(behaviours: Behaviours) -> tuple[str, ...]:
    """The names of the steps as they are taken."""
    return tuple(sorted(STEPS, key=lambda name: behaviours[f"order.{name}"]))


def _envelope(call: Call, request_id: str, block: dict[str, Any]) -> dict[str, Any]:
    told = call.told
    return {
        "request_id": request_id,
        call.endpoint.key(told): block,
        **{name: call.values.get(name) for name in told["answer.echo"]},
        "created_at": _shapes.created_at(told, call.now),
    }


def _price(call: Call) -> Any:
    return call.told[f"credit.price.{call.endpoint.name}"]


def _unpaid(call: Call) -> Response:
    call.told.note("credit.start")
    call.told.note(f"credit.price.{call.endpoint.name}")
    call.told.note("credit.last_cent")
    return call.told.answer("credit.refused", headers=call.headers)


def _ledger(call: Call) -> Ledger:
    return call.world.ledgers.of(FIRST_OWNER if call.key is None else call.key.owner)


def _is_charged(call: Call, block: dict[str, Any]) -> bool:
    told = call.told
    if block["status"] != told.peek(f"{call.endpoint.name}.approved"):
        return bool(told["credit.declined"])
    return call.saved or bool(told["credit.unsaved"])


def _charge(call: Call, request_id: str | None) -> bool:
    return _ledger(call).charge(
        _price(call),
        at=call.now,
        what=call.told.peek(f"{call.endpoint.name}.service"),
        request_id=request_id,
        all_or_nothing=not call.told.peek("credit.last_cent"),
    )


def _keep(call: Call, request_id: str, block: dict[str, Any]) -> Session:
    told, name = call.told, call.endpoint.name
    kept = told["session.kept"]
    session = call.world.sessions.add(
        request_id,
        internal_id=call.world.ids.uuid(),
        owner=FIRST_OWNER if call.key is None else call.key.owner,
        service=told[f"{name}.service"],
        status=block["status"],
        created_at=call.now,
        vendor_data=call.values.get("vendor_data") if "vendor_data" in kept else None,
        metadata=call.values.get("metadata") if "metadata" in kept else None,
        pictures={
            kept: call.upload(sent).digest for kept, sent in told[f"{name}.pictures"].items()
        },
        result={**block, **call.aside},
    )
    sent = told.peek(f"{name}.pictures")
    _media.keep(call.world, session, {kept: call.upload(sent[kept]).content for kept in sent})
    status_updated(call.world, told, call.request, session)
    return session
