"""`Destinations`: where Didit reports what happens to sessions.

``/v3/webhook/destinations/`` (Didit OpenAPI, 2026-07-18, read 2026-11-20). The one destination of
early 2026 (``/v3/webhook/``) is not offered.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from typing import Any

import attrs

from facematch_core import InvalidRequest, Secret

from . import arguments as given
from . import records
from .arguments import Id
from .client import AccountClient, AccountRequest, DestinationNotFound, pages
from .records import WebhookDestination

_DESTINATIONS = "/v3/webhook/destinations/"
_LONGEST_LABEL = 255


@attrs.frozen(eq=False)
class Destinations:
    """The webhook destinations of an application; `DiditAccount.destinations`.

    Every call raises the errors of `DiditAccount`, and `DestinationNotFound` for an id that the
    application does not have.
    """

    _api: AccountClient = attrs.field(repr=False)

    def list(self) -> builtins.list[WebhookDestination]:
        """All of them, without their secrets."""
        request = AccountRequest(path=_DESTINATIONS)
        return [
            *pages(self._api, request, records.destination, name_of=lambda one: one.destination_id)
        ]

    def get(self, destination_id: Id) -> WebhookDestination:
        """One of them."""
        return self._read(
            AccountRequest(path=_destination(destination_id), missing=DestinationNotFound)
        )

    def create(
        self,
        label: str,
        url: Secret | str,
        events: Iterable[str],
        *,
        enabled: bool = True,
        version: str = "v3",
    ) -> WebhookDestination:
        """Have `events` reported to `url`; the answer has the secret that they are signed with.

        Args:
            label: Name for people, up to 255 characters.
            url: Where to; Didit takes https and a public host alone, and each address once.
            events: What, for example ``["status.updated"]``. At least one: without any, Didit
                would report nothing.
            enabled: Whether to begin at once.
            version: Form of the body: ``v1``, ``v2`` or ``v3``.

        Raises:
            InvalidRequest: an argument; nothing was sent.
        """
        url = given.hidden(url)
        fields = {"label": label, "url": url, "events": events, "enabled": enabled}
        fields |= {"version": version}
        for name, value in fields.items():
            if value is None:
                raise InvalidRequest(f"{name} is None: a new destination needs one.")
        return self._read(
            AccountRequest(
                method="POST",
                path=_DESTINATIONS,
                json=given.written(_FIELDS, fields),
                advice="Look at destinations.list(): it may be there. Its secret is in the answer "
                "of destinations.get(), if anywhere; else delete and create it anew.",
                repeated="url",
            )
        )

    def update(
        self,
        destination_id: Id,
        *,
        label: str | None = None,
        url: Secret | str | None = None,
        events: Iterable[str] | None = None,
        enabled: bool | None = None,
        version: str | None = None,
    ) -> WebhookDestination:
        """Change what is given, and leave the rest; `events` replaces the whole list.

        The secret stays as it is: to change it, create another destination.

        Raises:
            InvalidRequest: an argument, or none at all; nothing was sent.
        """
        url = given.hidden(url)
        fields = {"label": label, "url": url, "events": events, "enabled": enabled}
        body = given.written(_FIELDS, {**fields, "version": version})
        if not body:
            raise InvalidRequest("Name at least one thing to change.")
        return self._read(
            AccountRequest(
                method="PATCH",
                path=_destination(destination_id),
                json=body,
                missing=DestinationNotFound,
                advice="Look at destinations.get(). Asking again with the same values does no "
                "harm.",
                repeated="url",
            )
        )

    def delete(self, destination_id: Id) -> None:
        """Have nothing reported there any more."""
        request = AccountRequest(
            method="DELETE",
            path=_destination(destination_id),
            missing=DestinationNotFound,
            advice="Ask again: DestinationNotFound then means that it was done.",
        )
        self._api.send(request)

    def _read(self, request: AccountRequest) -> WebhookDestination:
        return self._api.read(request, lambda body, _: records.destination(body))


def _destination(destination_id: Id) -> str:
    return f"{_DESTINATIONS}{given.an_id('destination_id', destination_id)}/"


def _label(name: str, value: Any) -> str:
    label = given.a_text(name, value)
    if len(label) > _LONGEST_LABEL:
        raise InvalidRequest(
            f"label has {len(label)} characters, but Didit takes at most {_LONGEST_LABEL}."
        )
    return label


def _version(_: str, value: Any) -> str:
    if value not in ("v1", "v2", "v3"):
        raise InvalidRequest("version must be one of v1, v2, v3.")
    return str(value)


#: Our names of what a destination has. (The address is a secret to us, for some carry a token.)
_FIELDS: given.Fields = {
    "label": ("label", _label),
    "url": ("url", given.a_web_address),
    "events": ("subscribed_events", given.texts),
    "enabled": ("enabled", given.a_flag),
    "version": ("webhook_version", _version),
}
