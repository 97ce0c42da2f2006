"""Azure AI Face: the paths of each version, and settings."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import attrs

from facematch_core.base.nesting import load_json
from facematch_mock_server.base.messages import Response
from facematch_mock_server.vendors import base
from facematch_mock_server.vendors.not_imitated import NotImitated
from facematch_mock_server.world.drilled import DrillFacts
from facematch_mock_server.world.hosted import HostedSessions
from facematch_mock_server.world.keys import LIVE_KEY, Key, KeyKind
from facematch_mock_server.world.variables import Variables

from .access import CHECKS, CREDENTIALS, KEY_HEADER, STABLE, VERSIONS, check_access, key_of
from .calls import groups, persons, preview, sessions
from .claims import CLAIMS
from .sessions import SESSION_RULES
from .values import VALUES

DETECT = f"/face/{STABLE}/detect"
#: The hint for other API versions and unknown paths.
_IMITATED = (
    "this mock imitates detect, verify, identify, findsimilars and person groups "
    f"of {', '.join(VERSIONS)}, of {STABLE} "
    f"{', '.join(path.rpartition('/')[2] for path in (sessions.LIVENESS, sessions.WITH_VERIFY))}, "
    f"and of {' and '.join(preview.VERSIONS)} detectLiveness/singleModal/sessions and "
    "detectLivenessWithVerify/singleModal/sessions"
)


@attrs.define(kw_only=True)
class AzureCall(base.NumberedCall):
    """A call whose response has the request id in a header."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        # The specification describes this header as "the unique requestId".
        self.headers = (("apim-request-id", self.request_id),)

    def load_body(self) -> Any:
        body = super().load_body()
        sent = self.request.body
        if body is None and b"'" in sent and b'"' not in sent:
            # JSON in single quotes is taken, as Microsoft's sample for Python sent it. (Microsoft's
            # quickstart of Face 1.0 for Python, of 2018, as copied by public programs)
            with contextlib.suppress(ValueError):
                body = load_json(sent.replace(b"'", b'"'))
        return body


#: The checks of a call that needs Microsoft's approval.
_CHECKS = {**CHECKS, "access.refused": check_access}


def _face_routes() -> Iterator[base.Route]:
    """Yield the routes of faces and persons in each version."""
    for version in VERSIONS:
        for path, (handlers, operation) in persons.ROUTES.items():
            # Without a face id, `detect` needs no approval.
            yield base.Route(
                pattern=f"/face/{version}/{path}",
                handlers=handlers,
                operation=operation,
                checks=CHECKS if path == "detect" else _CHECKS,
                credentials=CREDENTIALS,
            )


def _session_routes() -> Iterator[base.Route]:
    """Yield the routes of liveness sessions in each version."""
    tables = [(sessions.ROUTES, sessions.FIELDS)]
    for version in preview.VERSIONS:
        tables.append((tuple(preview.routes_of(version)), preview.FIELDS))
    for routes, fields in tables:
        for path, handlers, operation in routes:
            yield base.Route(
                pattern=path,
                handlers=handlers,
                operation=operation,
                checks=_CHECKS,
                credentials=CREDENTIALS,
                fields=fields,
                error_claims={400: "session.body", 404: "session.unknown"},
            )


class Azure(base.MockVendor):
    """The mock of Azure AI Face in one world. Thread-safe."""

    call = AzureCall
    common_prefix = f"/face/{STABLE}/"
    extra_prefixes = ("/face/v1.",)
    routes = (*_face_routes(), *_session_routes())
    session_rules = SESSION_RULES
    takes_links = True
    not_found_claim = "path"
    #: Of Microsoft's specifications, v1.0 to v1.3-preview.1; `detect` of v1.3-preview.1, too.
    not_imitated = NotImitated(
        "docs/vendors/azure.md",
        "/face/v1.3-preview.1/*",
        "GET /face/{version}/{kind}/singleModal/sessions",
        "/face/{version}/{kind}/singleModal/sessions/{id}/audit",
        "/face/{version}/dynamicpersongroups/*",
        "/face/{version}/facelists/*",
        "/face/{version}/group",
        "/face/{version}/largefacelists/*",
        "/face/{version}/largepersongroups/*",
        "/face/{version}/operations/{id}",
        "/face/{version}/persongroups",
        "GET /face/{version}/persongroups/{id}",
        "GET /face/{version}/persongroups/{id}/persons/*",
        "PATCH /face/{version}/persongroups/{id}",
        "PATCH /face/{version}/persongroups/{id}/persons/{person}",
        "/face/{version}/persons/*",
        "/face/v1.0/snapshots/*",
    )
    errors: ClassVar[Mapping[int, tuple[str, ...]]] = {
        400: ("body.wrong",),
        401: ("key.wrong",),
        403: ("access.refused",),
        404: ("verify.unknown",),
        429: ("rate.exceeded",),
        500: ("service.busy",),
        503: ("service.busy",),
    }

    def not_found(self, call: base.Call) -> Response:
        call.hint = _IMITATED
        return call.answer(self.not_found_claim)


_HEADERS = f"-H '{KEY_HEADER}: {LIVE_KEY}' -H 'Content-Type: application/octet-stream'"


VENDOR = base.Vendor(
    name="azure",
    title="Azure AI Face",
    claims=CLAIMS,
    documented_values=VALUES,
    switches={"access": ("approved", "unapproved"), "empty_device": ("refused", "accepted")},
    rate_limits={"resource": "rate.limit", "month": "quota.limit"},
    operations=("match", "detect", "session_start", "session_read"),
    hosts=frozenset({"*.cognitiveservices.azure.com", "*.api.cognitive.microsoft.com"}),
    first_keys={LIVE_KEY: Key(kind=KeyKind.LIVE)},
    variables=Variables(
        keys=({"FACE_APIKEY": LIVE_KEY},),
        address="FACE_ENDPOINT",
        own_address="https://mock.cognitiveservices.azure.com",
    ),
    key_of=key_of,
    records=groups.Records,
    extensions={"sessions": HostedSessions},
    behaviour=Azure,
    greeting=(f"key: {LIVE_KEY}", f"curl {_HEADERS} --data-binary @cards/p1.png {{url}}{DETECT}"),
    drilled=DrillFacts(
        approved={"Succeeded"},
        declined={"Failed"},
    ),
)
