"""The two calls with pictures: face match and passive liveness."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from facematch_core.base.addresses import HINT_HEADER
from facematch_mock_server.base.masking import describe_fields, shorten_json
from facematch_mock_server.base.messages import Form, Response
from facematch_mock_server.vendors.base import Refused, Route
from facematch_mock_server.vendors.didit import faces, fields, webhooks
from facematch_mock_server.vendors.didit.access import CHECKS, DiditCall, make_route
from facematch_mock_server.vendors.didit.checks import LIVENESS, MATCH, Block, PictureService
from facematch_mock_server.vendors.didit.fields import stamp

# The checks, in order. As in the OpenAPI, fields are read before the sandbox responds, and pictures
# are decoded after the credit check; the rest of the order is our choice.

#: A form with fewer bytes, not counting files, is described only when the journal is read.
_SHORT_FORM = 2048
_NAME_IT = "a file has no extension: name it, as in form.append('user_image', blob, 'face.jpg')"


def _read_fields(call: DiditCall) -> None:
    service: PictureService = call.endpoint.extra
    form = call.read_form("form.refused") if call.request.body else Form()
    call.values, errors = fields.read_form_fields(call.claims, service.form, form)
    if form.fields:
        metadata = call.values.get("metadata")
        describe = functools.partial(_describe_form, form.fields, call.route, metadata)
        # A short form is described when the journal is read; a long one at once, to drop its texts.
        bytes_without_files = len(call.request.body)
        for file in call.files:
            bytes_without_files -= file.size
        call.journal_fields = describe if bytes_without_files < _SHORT_FORM else describe()
    if errors:
        files = [file for files in form.files.values() for file in files]
        lacks_extension = any("." not in file.name for file in files)
        hints = ((HINT_HEADER, _NAME_IT),) if lacks_extension else ()
        call.refuse("fields.refused", body=errors, headers=hints)


def _describe_form(fields: Mapping[str, list[str]], route: Any, metadata: Any) -> dict[str, str]:
    """Return a form's fields as the journal shows them."""
    fields_shown = describe_fields(
        ((name, texts[-1]) for name, texts in fields.items()), route.shown_fields
    )
    if metadata is not None:
        fields_shown["metadata"] = shorten_json(metadata)
    return fields_shown


def _answer_sandbox(call: DiditCall) -> None:
    """Respond to a sandbox key without checking pictures, charging or storing anything."""
    if call.is_live:
        return
    service: PictureService = call.endpoint.extra
    request_id = call.world.ids.uuid()
    body = _envelope(call, request_id, service.judge_sandbox(call.claims))
    raise Refused(call.answer(f"{service.operation}.answer", body))


def _check_credit(call: DiditCall) -> None:
    price_claim = f"credit.price.{call.endpoint.operation}"
    price = call.claims.get(price_claim)
    if call.is_live and call.world.ledger.balance < price:
        # OURS: Credit is checked after the fields; the order is not documented.
        call.refuse("credit.refused", price_claim)


def _compare_or_check_liveness(call: DiditCall) -> None:
    probe = call.values["user_image"]
    rotate = call.values["rotate_image"]
    if call.endpoint.operation == "match":
        call.compare(probe, call.values["ref_image"], rotate=rotate)
        # OURS: A file that is not a picture is treated as a picture without a face:
        # NO_REFERENCE_IMAGE.
        return
    outcome = call.check_liveness(probe, rotate=rotate)
    if not outcome.probe.decodes:
        call.refuse("liveness.undecodable")
    # The index is searched for every live call, also for one that is not saved.
    call.outcome = faces.search(
        call.world, outcome, probe.digest, vendor_data=call.values["vendor_data"]
    )


def _charge_save_and_answer(call: DiditCall) -> Response:
    """Respond with the verdict; charge for any verdict, and save the call if requested."""
    service: PictureService = call.endpoint.extra
    claims = call.claims
    world = call.world
    values = call.values
    request_id = world.ids.uuid()
    block = service.judge(claims, call.outcome, values)
    price = claims[f"credit.price.{service.operation}"]
    if not call.charge(price, service=service.name, request_id=request_id):
        # A concurrent call used up the credit.
        call.refuse("credit.refused")
    session = None
    try:
        if values["save_api_request"]:
            digest_by_picture = {}
            for name, field in service.pictures.items():
                digest_by_picture[name] = values[field].digest
            session = world.sessions.add(
                request_id,
                internal_id=world.ids.uuid(),
                service=service.name,
                status=block["status"],
                created_at=call.now,
                vendor_data=values["vendor_data"],
                metadata=values["metadata"],
                pictures=digest_by_picture,
                result=block,
            )
            if service is LIVENESS:
                faces.enroll_if_live(world, session, call.outcome)
        has_no_pair = service is MATCH and call.outcome.score is None
        claim = "match.no_pair" if has_no_pair else f"{service.operation}.answer"
        response = call.answer(claim, _envelope(call, request_id, block))
    except BaseException:
        # A call without a 200 response is free and creates no session.
        call.refund()
        world.sessions.remove(request_id)
        raise
    if session is not None:
        webhooks.announce(world, session, call.request)
    return response


def _envelope(call: DiditCall, request_id: str, block: Block) -> dict[str, Any]:
    service: PictureService = call.endpoint.extra
    call.claims.cite("answer.echo", "answer.created_at")
    return {
        "request_id": request_id,
        service.block: block,
        "vendor_data": call.values["vendor_data"],
        "metadata": call.values["metadata"],
        "created_at": stamp(call.now, "+00:00"),
    }


def _make_picture_route(path: str, service: PictureService) -> Route:
    files = tuple(service.pictures.values())
    names = tuple(field.name for field in service.form if field.name not in files)
    return make_route(
        path,
        {"POST": _charge_save_and_answer},
        checks={
            **CHECKS,
            "fields": _read_fields,
            "sandbox": _answer_sandbox,
            "credit": _check_credit,
            "picture": _compare_or_check_liveness,
        },
        operation=service.operation,
        is_form=True,
        # The journal shortens metadata itself.
        shown_fields=tuple(name for name in names if name != "metadata"),
        fields=names,
        picture_fields=files,
        extra=service,
    )


ROUTES = (
    _make_picture_route("/v3/face-match/", MATCH),
    _make_picture_route("/v3/passive-liveness/", LIVENESS),
)
