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
    """

    mock: Served
    destination: Destination

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

    def _about_a_yes(self, session: Session) -> WebhookDelivery:
        return self._about(attrs.evolve(session, status=self.mock.control.world.vendor.drilled.yes))

    def write_changed(self, session: Session) -> SignedPayload:
        """Return a genuine webhook whose body was changed to say yes after it was signed."""
        genuine = self.sign(self._about(session))
        return attrs.evolve(genuine, body=self.sign(self._about_a_yes(session)).body)

    def write_forged(self, session: Session) -> SignedPayload:
        """Return a webhook that says yes, signed with another secret."""
        forger = attrs.evolve(self.destination, secret=_FORGERS_SECRET)
        return self._compose(self._about_a_yes(session), forger)

    def write_unsigned(self, session: Session) -> SignedPayload:
        """Return a webhook that says yes, without a signature."""
        payload = self.write_forged(session)
        names = self._rules.signature_headers
        headers = tuple(each for each in payload.headers if each[0].lower() not in names)
        return attrs.evolve(payload, headers=headers)

    def sign(
        self,
        delivery: WebhookDelivery,
        *,
        age_s: int = 0,
        ahead_s: int = 0,
        form: JsonForm | None = None,
    ) -> SignedPayload:
        """Return a delivery as it was signed `age_s` ago; None keeps its form of JSON.

        `ahead_s` is how far the mock's clock is ahead of the receiver's. A time that no signature
        covers is always now: a forger who sends an old delivery again writes it anew.
        """
        now = int(self.mock.control.now().timestamp()) - ahead_s
        signed = attrs.evolve(
            delivery, timestamp=now - age_s, retries=0, form=form or delivery.form
        )
        payload = self._compose(signed, self.destination)
        if self._rules.unsigned_time is not None:
            headers = {**dict(payload.headers), self._rules.unsigned_time: str(now)}
            payload = attrs.evolve(payload, headers=tuple(headers.items()))
        return payload

    def find_writer(
        self, delivery: WebhookDelivery, post: Callable[[SignedPayload], int | None]
    ) -> str | None:
        """Return the JSON writer whose form a receiver takes that refused the bytes; or None."""
        for form in JsonForm:
            status = None if form is JsonForm.UNUSUAL else post(self.sign(delivery, form=form))
            if is_taken(status):
                return form.value
        return None


def is_taken(status: int | None) -> bool:
    """Return whether a status says that a webhook was taken."""
    return status is not None and 200 <= status < 300
