"""`PersonaBackend`: hosted sessions with Persona.

Sources: Persona's OpenAPI, version 2025-12-08 (GitHub persona-id/persona-openapi, 2026-08-21), and
docs.withpersona.com; both read 2026-11-28. "Ours" marks a choice of this project. This code has
never been run against Persona.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, ClassVar

import attrs

from facematch_core import ComparedWith, Environment, Operation, Secret, VendorError
from facematch_core.backend import (
    Capabilities,
    DeleteRequest,
    RateWindow,
    ReadRequest,
    Request,
    SessionCapabilities,
    StartRequest,
    VendorCopy,
)
from facematch_core.backend.session_types import SessionHint
from facematch_core.http import (
    DeleteSteps,
    HostedSessionBackend,
    HttpReply,
    SessionSteps,
    as_secret,
    environment_of_key,
)

from . import sessions, webhooks, wire

#: The environment of a key, by the prefix of the key (source: keys in others' public code).
_ENVIRONMENTS: Mapping[str, Environment] = {
    "persona_production_": Environment.PRODUCTION,
    "persona_sandbox_": Environment.SANDBOX,
}


@attrs.frozen(kw_only=True, eq=False)
class PersonaBackend(HostedSessionBackend):
    """Verifies a person in a hosted session: an inquiry at Persona.

    Each session is an inquiry of your template, whose steps, checks and workflow are set up in
    Persona's dashboard. The face is compared with the portrait on the document that the person
    shows. A session is decided once your workflow or staff approves or declines the inquiry;
    ``completed`` alone is no verdict.

    Persona stores the inquiry until you delete the session. Its note is the record's id, and one of
    its tags a digest of the terms. No account is created for the person.

    Args:
        api_key: The API key, ``PERSONA_API_KEY``. Its prefix says whether it is a key of Persona's
            sandbox, where nothing is charged.
        template_id: The inquiry template, ``itmpl_...``; or a version of it, ``itmplv_...``; or a
            legacy template, ``tmpl_...``. Default: ``PERSONA_TEMPLATE_ID``.
        environment: The environment, if the key's prefix does not say it; MOCK for a mock.
        webhook_secrets: The webhook's secret, ``wbhsec_...``, or both during a rotation. Default:
            ``PERSONA_WEBHOOK_SECRET``, which contains one.
        handoff_hosts: Exact names of further hosts that a session link may point to, such as your
            own subdomain at Persona.
        base_url: Persona's address.

    Raises:
        ConfigurationError: a setting is invalid, or `environment` contradicts the key's prefix.
    """

    name = wire.NAME
    environment_variables: ClassVar[Mapping[str, str]] = {
        "api_key": "PERSONA_API_KEY",
        "template_id": "PERSONA_TEMPLATE_ID",
        "webhook_secrets": "PERSONA_WEBHOOK_SECRET",
    }
    allowed_hosts = frozenset({"api.withpersona.com"})
    api_path = "/api/v1(/.*)?"
    own_error = ("errors", 0, "title")
    request_id_header = "Request-Id"
    capabilities = Capabilities(
        operations=frozenset(),
        # Persona's example of a quota; another one may have been agreed on.
        rate_windows=(RateWindow(150, 60.0),),
    )
    session_capabilities = SessionCapabilities(
        checks=frozenset({Operation.MATCH, Operation.LIVENESS}),
        # Persona documents neither the scale of its similarity scores nor a threshold.
        scored=frozenset(),
        compares_with=frozenset({ComparedWith.DOCUMENT}),
        reads_document=True,
        start_is_repeatable=True,
        stores=frozenset({VendorCopy.ID, VendorCopy.TERMS}),
        finds_by_record=True,
        can_delete=True,
        link_hosts=frozenset({"withpersona.com", "inquiry.withpersona.com"}),
        # A "one-time link" (docs.withpersona.com, /inquiry-one-time-links).
        link_works_once=True,
        takes_return_url=True,
        resumes_expired=True,
        read_windows=(RateWindow(300, 60.0),),
    )

    api_key: Secret = attrs.field(converter=as_secret)
    template_id: str | None = None
    environment: Environment | None = None
    base_url: str = "https://api.withpersona.com"

    @property
    def key_environment(self) -> Environment | None:
        """The environment that the key's prefix states, or None."""
        return environment_of_key(self.api_key, _ENVIRONMENTS)

    @property
    def session_facts(self) -> Mapping[str, str]:
        """The template."""
        return {"template_id": self.template_id or ""}

    def start_steps(self, request: StartRequest) -> SessionSteps:
        return sessions.start_steps(self, request)

    def read_steps(self, request: ReadRequest) -> SessionSteps:
        return sessions.read_steps(self, request)

    def delete_steps(self, request: DeleteRequest) -> DeleteSteps:
        return sessions.delete_steps(self, request)

    def error(self, reply: HttpReply, request: Request) -> VendorError:
        """Return the error for a response that is not expected."""
        return sessions.read_error(self, reply, request)

    def is_signed(self, body: bytes, headers: Mapping[str, str], keys: tuple[Secret, ...]) -> bool:
        """Return whether one of the keys signed a delivery; header names are in lower case."""
        return webhooks.is_signed(body, headers, keys)

    def read_delivery(
        self, document: Any, headers: Mapping[str, str], now: dt.datetime
    ) -> tuple[SessionHint, ...]:
        """Return the session that a signed delivery names; () if it is not about an inquiry."""
        webhooks.check_age(headers, now)
        return webhooks.read_hints(document)
