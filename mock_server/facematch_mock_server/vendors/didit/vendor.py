"""Didit before it has a world."""

from __future__ import annotations

from facematch_mock_server._keys import FIRST_KEYS
from facematch_mock_server.vendors.base import Errand, Extension, Vendor
from facematch_mock_server.world import World

from ._paths import HOSTS
from ._records import DiditRecords
from ._vendor import Didit
from .claims import CLAIMS, DEFAULT_EDITION, EDITIONS, SETTINGS, SWITCHES


def _courier(world: World) -> Errand:
    from facematch_mock_server.webhooks._courier import Courier  # not above: it needs Didit

    return Courier(world)


_KEYS = "keys: mock-live-key (live), mock-sandbox-key (sandbox: approves everything, costs nothing)"
_CURL = (
    "curl -H 'x-api-key: mock-live-key' -F user_image=@selfie.jpg -F ref_image=@id.jpg "
    "{url}/v3/face-match/"
)

_MOCK = "facematch_mock_server"

VENDOR = Vendor(
    name="didit",
    title="Didit",
    claims=CLAIMS,
    editions=EDITIONS,
    default_edition=DEFAULT_EDITION,
    switches=SWITCHES,
    settings=SETTINGS,
    rate_limits={
        "write": "rate.write.limit",
        "get": "rate.get.limit",
        "decision": "rate.decision.limit",
        "management": "rate.management.limit",
        "register": "rate.register.limit",
    },
    hosts=frozenset(HOSTS),
    first_keys=FIRST_KEYS,
    extensions={
        "console": Extension(f"{_MOCK}._console:Console", f"{_MOCK}._console:VERBS"),
        "webhooks": Extension(
            f"{_MOCK}.webhooks.control:Webhooks", f"{_MOCK}.webhooks._verbs:verbs"
        ),
        "faces": Extension(f"{_MOCK}._faces:Faces", f"{_MOCK}._faces:VERBS"),
        "mailbox": Extension(f"{_MOCK}._mailbox:Mailbox", f"{_MOCK}._mailbox:VERBS"),
        "payments": Extension(f"{_MOCK}._payments:Payments", f"{_MOCK}._payments:payment_verbs"),
    },
    greeting=(_KEYS, _CURL),
    make=Didit,
    records=DiditRecords,
    errand=_courier,
)
