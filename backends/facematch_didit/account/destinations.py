"""`Destinations`: where Didit reports what happens to sessions.

``/v3/webhook/destinations/`` (Didit OpenAPI, 2026-07-18, read 2026-11-20). The one destination of
early 2026 (``/v3/webhook/``) is not offered.
"""

from __future__ import annotations

import builtins
import uuid
from collections.abc import Iterable
from typing import Any

import attrs

from facematch_core import InvalidRequest, Secret

from . import arguments as given
from . import reading
from .line import Ask, DestinationNotFound, Line, pages
from .records import WebhookDestination

_DESTINATIONS = "/v3/webhook/destinations/"
_VERSIONS = ("v1", "v2", "v3")
_LONGEST_LABEL = 255

#: Our names of the fields, and Didit's.
_NAMES = {
    "label": "label",
    "url": "url",
    "events": "subscribed_events",
    "enabled": "enabled",
    "version": "webhook_version",
}
#: The address is a secret to us, because some carry a token, and is in each answer.
_REPEATED = frozenset({"url"})


@attrs.frozen(eq=False)
class Destinations:
    """The webhook destinations of an application; `DiditAccount.destinations`.

    Every call raises the errors of `DiditAccount`, and `DestinationNotFound` for an id that the
    application does not have.
    """

    _line: Line = attrs.field(repr=False)

    def list(self) -> builtins.list[WebhookDestination]:
        """All of them, without their secrets."""
        found = pages(
            self._line,
            lambda query: Ask(path=_DESTINATIONS, params=query),
            reading.destination,
            first={},
            name_of=lambda destination: destination.destination_id,
        )
        return [*found]

    def get(self, destination_id: str | uuid.UUID) -> WebhookDestination:
        """One of them."""
        ask = Ask(path=_one(destination_id), missing=DestinationNotFound)
        return self._line.read(ask, reading.destination)

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
        body = _fields(label=label, url=url, events=events, enabled=enabled, version=version)
        for name, theirs in _NAMES.items():
            if theirs not in body:
                raise InvalidRequest(f"{name} is None: a new destination needs one.")
        ask = Ask(
            method="POST",
            path=_DESTINATIONS,
            json=body,
            advice="Look at destinations.list(): it may be there. Its secret is in the answer of "
            "destinations.get(), if anywhere; else delete and create it anew.",
            repeated=_REPEATED,
        )
        return self._line.read(ask, reading.destination)

    def update(
        self,
        destination_id: str | uuid.UUID,
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
        body = _fields(label=label, url=url, events=events, enabled=enabled, version=version)
        if not body:
            raise InvalidRequest("Name at least one thing to change.")
        path = _one(destination_id)
        ask = Ask(
            method="PATCH",
            path=path,
            json=body,
            missing=DestinationNotFound,
            advice="Look at destinations.get(). Asking again with the same values does no harm.",
            repeated=_REPEATED,
        )
        return self._line.read(ask, reading.destination)

    def delete(self, destination_id: str | uuid.UUID) -> None:
        """Have nothing reported there any more."""
        ask = Ask(
            method="DELETE",
            path=_one(destination_id),
            missing=DestinationNotFound,
            advice="Ask again: DestinationNotFound then means that it was done.",
        )
        self._line.send(ask)


def _one(destination_id: str | uuid.UUID) -> str:
    return f"{_DESTINATIONS}{given.an_id('destination_id', destination_id)}/"


def _fields(
    *,
    label: str | None,
    url: Secret | str | None,
    events: Iterable[str] | None,
    enabled: bool | None,
    version: str | None,
) -> dict[str, Any]:
    """What is given, checked, under Didit's names."""
    if label is not None and len(given.a_text("label", label)) > _LONGEST_LABEL:
        raise InvalidRequest(
            f"label has {len(label)} characters, but Didit takes at most {_LONGEST_LABEL}."
        )
    if version is not None and version not in _VERSIONS:
        raise InvalidRequest(f"version must be one of {', '.join(_VERSIONS)}.")
    fields = {
        "label": label,
        "url": None if url is None else given.a_web_address("url", url),
        "events": None if events is None else given.texts("events", events),
        "enabled": None if enabled is None else given.a_flag("enabled", enabled),
        "version": version,
    }
    return {_NAMES[name]: value for name, value in fields.items() if value is not None}
