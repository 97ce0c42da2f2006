"""Webhooks that the vendor did not send in this way: forged, changed, too old, written again."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from facematch_mock_server.base.json_forms import JsonForm
from facematch_mock_server.server import Served
from facematch_mock_server.world.sessions import Session
from facematch_mock_server.world.webhooks import (
    Destination,
    SignedPayload,
    WebhookDelivery,
    WebhookRules,
    new_delivery,
)

#: The secret of a forger. Real secrets are random, so it is none of them.
_FORGERS_SECRET = "a-secret-that-the-receiver-does-not-have"  # noqa: S105 - no real secret


@attrs.frozen(kw_only=True)
class LetterWriter:
    """Writes webhooks about a session, as its vendor or as a forger.

    Attributes:
        mock: The mock at one vendor.
        destination: The webhook of the application, with its secret.
        approved: The status that a forger claims.
    """

    mock: Served
    destination: Destination
    approved: str

    @property
    def _rules(self) -> WebhookRules:
        rules: WebhookRules = self.mock.control.world.outbox.rules
        return rules

    def _about(self, session: Session) -> WebhookDelivery:
        event = self._rules.session_event
        world = self.mock.control.world
        return new_delivery(world, self.destination, session, event=event)

    def _compose(self, delivery: WebhookDelivery, signer: Destination) -> SignedPayload:
        world = self.mock.control.world
        return self._rules.compose(world.claims.cited(), world, delivery, signer)

    def forge(self, kind: str, session: Session) -> SignedPayload:
        """Return a webhook that says yes: ``unsigned``, ``forged`` or ``changed``."""
        yes = self._about(attrs.evolve(session, status=self.approved))
        if kind == "changed":
            genuine = self._compose(self._about(session), self.destination)
            body = self._compose(yes, self.destination).body
            return attrs.evolve(genuine, body=body)
        forger = attrs.evolve(self.destination, secret=_FORGERS_SECRET)
        payload = self._compose(yes, forger)
        if kind == "forged":
            return payload
        names = self._rules.signature_headers
        headers = tuple(each for each in payload.headers if each[0].lower() not in names)
        return attrs.evolve(payload, headers=headers)

    def sign_before(self, delivery: WebhookDelivery, seconds: int) -> SignedPayload:
        """Return a delivery as it was signed so many seconds ago."""
        now = int(self.mock.control.now().timestamp())
        old = attrs.evolve(delivery, timestamp=now - seconds, retries=0)
        return self._compose(old, self.destination)

    def write_as(self, form: JsonForm, delivery: WebhookDelivery) -> SignedPayload:
        """Return a delivery whose JSON has a form."""
        now = int(self.mock.control.now().timestamp())
        written = attrs.evolve(delivery, form=form, timestamp=now)
        return self._compose(written, self.destination)

    def find_writer(
        self, delivery: WebhookDelivery, post: Callable[[SignedPayload], int | None]
    ) -> str | None:
        """Return the JSON writer whose form a receiver takes that refused the bytes; or None."""
        for form in JsonForm:
            status = None if form is JsonForm.UNUSUAL else post(self.write_as(form, delivery))
            if is_taken(status):
                return form.value
        return None


def is_taken(status: int | None) -> bool:
    """Return whether a status says that a webhook was taken."""
    return status is not None and 200 <= status < 300
