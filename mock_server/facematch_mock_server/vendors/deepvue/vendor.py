"""Deepvue before it has a world."""

from __future__ import annotations

from facematch_mock_server._keys import LIVE_KEY, Key, KeyKind
from facematch_mock_server.vendors.base import Extension, Vendor

from ._records import DeepvueRecords
from ._vendor import CLIENT_ID, HOSTS, Deepvue
from .claims import CLAIMS, DEFAULT_EDITION, EDITIONS, SETTINGS, SWITCHES

#: Asks for a token and uses it at once: the fourth word in quotes of that answer.
_CURL = (
    "curl -H 'x-api-key: mock-live-key' -H \"Authorization: Bearer $(curl -s "
    "-d client_id=mock-client -d client_secret=mock-live-key {url}/v1/authorize "
    "| cut -d '\"' -f 4)\" -F file_a=@id.jpg -F file_b=@selfie.jpg {url}/v1/facematch"
)

_CONTROL = f"{__package__}._control"

VENDOR = Vendor(
    name="deepvue",
    title="Deepvue",
    claims=CLAIMS,
    editions=EDITIONS,
    default_edition=DEFAULT_EDITION,
    switches=SWITCHES,
    settings=SETTINGS,
    rate_limits={name: f"rate.{name}.limit" for name in ("second", "minute", "day")},
    hosts=HOSTS,
    first_keys={LIVE_KEY: Key(kind=KeyKind.LIVE, client=CLIENT_ID)},
    extensions={
        "tokens": Extension(f"{_CONTROL}:Tokens", f"{_CONTROL}:token_verbs"),
        "answers": Extension(f"{_CONTROL}:Answers", f"{_CONTROL}:answer_verbs"),
    },
    section="deepvue/",
    greeting=("keys: client id mock-client, client secret mock-live-key", _CURL),
    make=Deepvue,
    records=DeepvueRecords,
)
