"""A call to Veriff: its session and its API key."""

from __future__ import annotations

import re
from typing import Any

import attrs

from facematch_mock_server.vendors import base
from facematch_mock_server.vendors.kit import Request, Session
from facematch_mock_server.world.hosted import expire_if_due

#: The header with the API key that a program sent, if the door has replaced it by the mock's.
SENT_CLIENT = "x-facematch-sent-client"
_UUID_4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@attrs.define(kw_only=True, eq=False)
class VeriffCall(base.Call):
    """A call to Veriff; `session` is that of the path, once it was found."""

    _session: Session | None = attrs.field(default=None, init=False)

    @property
    def client(self) -> str:
        """The API key that was accepted."""
        return self.request.header("x-auth-client", "")

    @property
    def shown_client(self) -> str:
        """The API key that answers and webhooks show: the one that the program sent."""
        return self.request.header(SENT_CLIENT, self.client)

    def read_part(self, name: str, refusal: str) -> dict[str, Any]:
        """Return the object in the body with this name; refuse a body without it."""
        part = self.read_object(refusal).get(name)
        return part if isinstance(part, dict) else self.refuse(refusal)

    @property
    def session(self) -> Session:
        """The session in the path; refuses the call if the integration has none with that id."""
        if self._session is None:
            session = self.world.sessions.find(self.path_value.lower())
            if session is None and not 20 <= len(self.path_value) <= 40:
                self.refuse("session.id_length")
            if session is None and not _UUID_4.fullmatch(self.path_value.lower()):
                self.refuse("session.id")
            if session is None or session.metadata_or_empty.get("client") != self.client:
                self.refuse("session.unknown")
            self._session = expire_if_due(self.world, session)
        return self._session


def check_key(call: VeriffCall) -> None:
    """Refuse a missing or unknown API key, and one whose secrets are all inactive or expired."""
    client = call.request.header("x-auth-client")
    if client is None:
        call.refuse("key.missing")
    call.key_label = "wrong"
    if not base.is_uuid(client):
        call.refuse("key.malformed")
    keys_by_secret = {
        secret: key for secret, key in call.world.keys.items() if key.client == client
    }
    if not keys_by_secret:
        call.refuse("key.unknown")
    # A client may have several secrets, and this request names none: it is enough that one is
    # active. `check_signature` finds the one that was used.
    if not any(key.allowed and call.authenticate(secret) for secret, key in keys_by_secret.items()):
        call.refuse("key.inactive")


def key_of(head: Request) -> str | None:
    """Return the API key in a request."""
    return head.header("x-auth-client")
