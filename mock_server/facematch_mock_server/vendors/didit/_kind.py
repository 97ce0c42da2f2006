"""Didit before it has a world."""

from __future__ import annotations

from facematch_mock_server._keys import FIRST_KEYS
from facematch_mock_server.claims import all_claims
from facematch_mock_server.claims.didit import DEFAULT_EDITION, EDITIONS, SETTINGS, SWITCHES
from facematch_mock_server.vendors._kind import Errand, VendorKind
from facematch_mock_server.world import World

from ._paths import HOSTS
from ._records import DiditRecords
from ._vendor import Didit


def _courier(world: World) -> Errand:
    from facematch_mock_server.webhooks._courier import Courier  # not above: it needs Didit

    return Courier(world)


_KEYS = "keys: mock-live-key (live), mock-sandbox-key (sandbox: approves everything, costs nothing)"
_CURL = (
    "curl -H 'x-api-key: mock-live-key' -F user_image=@selfie.jpg -F ref_image=@id.jpg "
    "{url}/v3/face-match/"
)

KIND = VendorKind(
    name="didit",
    claims=all_claims("didit"),
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
    areas=("console", "webhooks", "faces", "mailbox", "payments"),
    greeting=(_KEYS, _CURL),
    make=Didit,
    records=DiditRecords,
    errand=_courier,
)
