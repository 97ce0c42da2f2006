"""Deepvue before it has a world."""

from __future__ import annotations

from facematch_mock_server._keys import LIVE_KEY, Key, KeyKind
from facematch_mock_server.claims import all_claims
from facematch_mock_server.claims.deepvue import DEFAULT_EDITION, EDITIONS, SETTINGS, SWITCHES
from facematch_mock_server.vendors._kind import VendorKind

from ._records import DeepvueRecords
from ._vendor import CLIENT_ID, HOSTS, Deepvue

#: Asks for a token and uses it at once: the fourth word in quotes of that answer.
_CURL = (
    "curl -H 'x-api-key: mock-live-key' -H \"Authorization: Bearer $(curl -s "
    "-d client_id=mock-client -d client_secret=mock-live-key {url}/v1/authorize "
    "| cut -d '\"' -f 4)\" -F file_a=@id.jpg -F file_b=@selfie.jpg {url}/v1/facematch"
)

KIND = VendorKind(
    name="deepvue",
    claims=all_claims("deepvue"),
    editions=EDITIONS,
    default_edition=DEFAULT_EDITION,
    switches=SWITCHES,
    settings=SETTINGS,
    rate_limits={name: f"rate.{name}.limit" for name in ("second", "minute", "day")},
    hosts=HOSTS,
    first_keys={LIVE_KEY: Key(kind=KeyKind.LIVE, client=CLIENT_ID)},
    areas=("tokens", "answers"),
    section="deepvue/",
    greeting=("keys: client id mock-client, client secret mock-live-key", _CURL),
    make=Deepvue,
    records=DeepvueRecords,
)
