"""Send the requests of a recording to a fresh mock."""

from __future__ import annotations

import contextlib
import functools
import io
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs
from PIL import Image

from facematch_mock_server.base.messages import Request
from facematch_mock_server.door.keys import accept_key
from facematch_mock_server.recognition.ready import READY
from facematch_mock_server.recognition.sheet import make_card
from facematch_mock_server.server import MockServer
from facematch_mock_server.vendors import vendor_named

from .aspects import SCORE, STAND_IN, AspectDifference, compare_answers
from .exchanges import PictureFile, RecordedExchange, is_recorded_template, make_recorded_request


@attrs.frozen
class ReplayedAnswer:
    """What the mock answered in place of the vendor.

    Attributes:
        differences: The differences from the vendor's reply.
        claims: The claims about the vendor that the answer cites.
        is_imitated: Whether the mock imitates the call.
        body: The JSON body of the answer; None without one.
    """

    differences: Sequence[AspectDifference]
    claims: frozenset[str]
    is_imitated: bool
    body: Any


class Replay:
    """A fresh mock that is sent recorded requests.

    Args:
        vendors: The vendors of the recording.
        key_form: The form of the keys that are sent, with a place for their number.
        switches: The switches of the mock.
    """

    def __init__(self, vendors: Iterable[str], key_form: str, switches: Mapping[str, str]) -> None:
        self._server = MockServer(vendor=list(vendors), control=False, switches=switches)
        self._key_form = key_form
        #: The mock's ids, tokens and scores, by what the recording has in their place.
        self._mocks_values: dict[str, str] = {}
        #: The mock's face templates, by the JSON of those in the recording.
        self._mocks_templates: dict[str, Any] = {}

    def ask(
        self, exchange: RecordedExchange, cards: Mapping[str, str], *, accepts_key: bool
    ) -> ReplayedAnswer:
        """Send a request, with these cards for its pictures."""
        request = self._request_of(exchange, cards)
        if accepts_key:
            request = accept_key(self._server, exchange.vendor, request)
        return self._send(exchange, request)

    def ask_with_wrong_signature(
        self, exchange: RecordedExchange, cards: Mapping[str, str]
    ) -> ReplayedAnswer:
        """Send a request with the mock's own key, but not with its signature."""
        client = self._server.of(exchange.vendor).client_id or ""
        request = self._request_of(exchange, cards)
        sign_again = vendor_named(exchange.vendor).sign_again
        if sign_again:
            request = sign_again(request, client=client, secret="wrong")  # noqa: S106
        return self._send(exchange, request)

    def _request_of(self, exchange: RecordedExchange, cards: Mapping[str, str]) -> Request:
        """Return the request of a recorded call, with cards as large as its pictures."""
        pictures = {}
        for name, card in cards.items():
            file = exchange.picture_files.get(name, PictureFile("PNG", 0))
            # Decoders ignore bytes after the end of a picture.
            pictures[name] = _encode_card(card, file.format).ljust(file.size, b"\0")
        return make_recorded_request(
            exchange.sent,
            pictures,
            method=exchange.method,
            host=exchange.host,
            values=self._mocks_values,
            templates=self._mocks_templates,
            key_form=self._key_form,
        )

    def _send(self, exchange: RecordedExchange, request: Request) -> ReplayedAnswer:
        """Send a request to the mock; return how its answer differs from the vendor's.

        A 429 that the vendor did not give is tried once more a minute later. Values of the answer
        stand for the vendor's in later calls.
        """
        control = self._server.of(exchange.vendor).control
        response = self._server.app.handle(request)
        if response.status == 429 != exchange.reply.status:
            # The vendor was called more slowly.
            control.advance(60)
            response = self._server.app.handle(request)
        body = None
        with contextlib.suppress(ValueError):
            body = response.json()
        self._learn(exchange.body, body)
        own_prefix = f"{exchange.vendor}."
        return ReplayedAnswer(
            differences=compare_answers(response, exchange.reply, self._nullable(exchange.vendor)),
            claims=frozenset(key for key in response.claims if key.startswith(own_prefix)),
            is_imitated=control.world.behaviour.imitates(request),
            body=body,
        )

    def _nullable(self, vendor: str) -> Collection[str]:
        """Return the fields that the vendor fills for some pictures only, by its claims."""
        claims = self._server.of(vendor).control.world.vendor.claims
        fields: set[str] = set()
        for claim in claims:
            if claim.key == "face.nullable":
                fields.update(claim.value)
        return fields

    def _learn(self, recorded: Any, body: Any) -> None:
        """Note the mock's values that a later request may repeat."""
        for key, recorded_value, value in _pairs_in("", recorded, body):
            if is_recorded_template(recorded_value):
                self._mocks_templates[json.dumps(recorded_value)] = value
                continue
            is_score = isinstance(recorded_value, float) and SCORE.search(key) is not None
            if is_score or STAND_IN.fullmatch(str(recorded_value)):
                self._mocks_values.setdefault(str(recorded_value), str(value))


@functools.cache
def _encode_card(card: str, picture_format: str) -> bytes:
    """Return a ready card, or the card of a person with this name, in a format."""
    content = io.BytesIO()
    data = READY[card].data if card in READY else make_card(card)
    with Image.open(io.BytesIO(data)) as picture:
        picture.convert("RGB").save(content, picture_format)
    return content.getvalue()


def _pairs_in(key: str, recorded: Any, body: Any) -> Iterator[tuple[str, Any, object]]:
    """Yield the texts, numbers and face templates of a body.

    Of each: its key, the recorded value, and its own.
    """
    if is_recorded_template(recorded):
        yield key, recorded, body
    elif isinstance(recorded, dict) and isinstance(body, dict):
        for name in recorded.keys() & body.keys():
            yield from _pairs_in(name, recorded[name], body[name])
    elif isinstance(recorded, list) and isinstance(body, list):
        for first, second in zip(recorded, body, strict=False):
            yield from _pairs_in(key, first, second)
    elif isinstance(body, (str, int, float)):
        yield key, recorded, body
