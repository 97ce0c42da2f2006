"""`HostedSessionBackend`: the base of backends whose vendor has hosted sessions alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, ClassVar

import attrs

from facematch_core import errors, models
from facematch_core.backend import Capabilities
from facematch_core.backend.session_types import SessionHint
from facematch_core.base.masking import Secret
from facematch_core.base.nesting import load_json
from facematch_core.base.signatures import as_headers, as_webhook_secrets, has_signature

from .backend import HttpBackend


def as_host_names(names: Any) -> tuple[str, ...]:
    """Return a setting with host names as a tuple: None, one name, or several."""
    return (names,) if isinstance(names, str) else tuple(names or ())


def environment_of_key(
    key: Secret, environments: Mapping[str, models.Environment]
) -> models.Environment | None:
    """Return the environment by the prefix of a key, for `key_environment`; None for another."""
    for prefix, environment in environments.items():
        if key.reveal().startswith(prefix):
            return environment
    return None


def not_listed(vendor: str) -> errors.SessionNotFound:
    """Return the error for a record without a `session_id` whose id no session has."""
    return errors.SessionNotFound(
        f"{vendor} lists no session with the id of this record: none was started, or it was "
        "deleted.",
        backend=vendor,
        billing=models.Billing(models.Charged.NO, "reading is free"),
    )


@attrs.define(kw_only=True, eq=False, slots=False, repr=False, on_setattr=[])
class HostedSessionBackend(HttpBackend):
    """Base class of backends whose vendor has hosted sessions, and no calls with pictures.

    Implement `start_steps`, `read_steps` and, if the vendor deletes sessions, `delete_steps`; for
    webhooks, `is_signed` and `read_delivery`. If the key says the environment, override
    `key_environment`.

    Args:
        webhook_secrets: The secret that signs webhooks, or several during a rotation.
        handoff_hosts: Exact names of further hosts that a session link may point to.
        return_hosts: Exact names of hosts that a person may be redirected to after a session.

    Raises:
        ConfigurationError: a setting is invalid, or `environment` contradicts `key_environment`.

    Attributes:
        signature_header: The header with a webhook's signature, for `is_signed`.
    """

    capabilities = Capabilities(operations=frozenset())
    signature_header: ClassVar[str] = ""

    webhook_secrets: Secret | tuple[Secret, ...] = attrs.field(
        default=(), converter=as_webhook_secrets
    )
    handoff_hosts: tuple[str, ...] = attrs.field(default=(), converter=as_host_names)
    return_hosts: tuple[str, ...] = attrs.field(default=(), converter=as_host_names)

    def __attrs_post_init__(self) -> None:
        """Raise ConfigurationError if `environment` and the key's prefix contradict each other."""
        super().__attrs_post_init__()
        stated = self.key_environment
        is_contradiction = stated is not None and self.environment not in (
            None,
            models.Environment.MOCK,
            stated,
        )
        if is_contradiction:
            raise errors.ConfigurationError(
                f"environment is {self.environment}, but the prefix of api_key says {stated}: set "
                "the other key, or leave environment out."
            )

    @property
    def key_environment(self) -> models.Environment | None:
        """The environment that the prefix of the key states; None if there is no such prefix."""
        return None

    @property
    def environments(self) -> frozenset[models.Environment]:
        """The environments that sessions can come from: by the setting, or else by the key."""
        environments = super().environments
        if environments or self.key_environment is None:
            return environments
        return frozenset({self.key_environment})

    @property
    def webhook_keys(self) -> tuple[Secret, ...]:
        """The keys that may sign a webhook; by default the `webhook_secrets`."""
        return as_webhook_secrets(self.webhook_secrets)

    def is_signed(self, body: bytes, headers: Mapping[str, str], keys: tuple[Secret, ...]) -> bool:
        """Return whether one of the keys signed a delivery; header names are in lower case.

        By default, `signature_header` must be the lower-case hex HMAC-SHA256 of the body.
        """
        return has_signature(body, headers.get(self.signature_header.lower(), ""), keys)

    def read_delivery(
        self, document: Any, headers: Mapping[str, str], now: dt.datetime
    ) -> tuple[SessionHint, ...]:
        """Return the sessions that a signed delivery names; header names are in lower case.

        Any exception other than a `FaceMatchError` means that the delivery cannot be read.

        Raises:
            WebhookRefused: the delivery is too old by `now`.
        """
        raise NotImplementedError(f"{type(self).__name__} has no read_delivery.")

    def receive_session(
        self, body: bytes, headers: Mapping[str, str], now: dt.datetime
    ) -> tuple[SessionHint, ...]:
        """Return the hints of a delivery that one of the keys has signed.

        Raise ConfigurationError without a key, WebhookRefused for another signature.
        """
        keys = self.webhook_keys
        if not keys:
            variable = self.environment_variables.get("webhook_secrets")
            source = f", or the environment variable {variable}" if variable else ""
            raise errors.ConfigurationError(
                f"The webhooks of {self.name} need webhook_secrets, the secret that signs them: "
                f"set webhook_secrets{source}."
            )
        lower_case = as_headers(headers)
        if not self.is_signed(body, lower_case, keys):
            raise errors.WebhookRefused(
                f"The delivery is not signed by {self.name} (secrets tried: {len(keys)}). Check "
                "the secret, and pass the body as received."
            )
        # `Sessions.receive` refuses a delivery that raises any other error.
        return self.read_delivery(load_json(body), lower_case, now)
