"""AWS region, endpoint and credentials from botocore's configuration, and request signing.

At level DEBUG, botocore logs signed headers and the responses of AWS's sign-in services. So its
loggers are muted during the calls in this module.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import attrs

from facematch_core import AuthenticationFailed, Billing, Charged, ConfigurationError, Secret
from facematch_core.backend import muted
from facematch_core.base.deadline import Deadline
from facematch_core.base.extras import install_command
from facematch_core.base.threads import HelperThreads, NoThread, StillRunning
from facematch_core.errors import VendorUnavailable
from facematch_core.http import HttpRequest, is_loopback

_MISSING = (
    "rekognition: no AWS credentials found. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
    "aws_profile, or give this machine a role."
)
#: botocore's errors about the user's configuration. Any other error means a failed sign-in.
_MISTAKES = ("ProfileNotFound", "PartialCredentialsError", "ConfigNotFound", "ConfigParseError")


class AwsSettings:
    """Region, endpoint and credentials, from the explicit settings or else from botocore.

    Credentials are looked up at the first call and refreshed when they expire.

    Attributes:
        region: The region, such as ``eu-west-1``.
    """

    def __init__(
        self, profile: str | None, region: str | None, keys: Sequence[Secret | None] = ()
    ) -> None:
        """Find the region; keys are looked up at the first call.

        Raise ConfigurationError without botocore, and without a region.
        """
        try:
            import botocore.session  # noqa: F401 - to fail now if it is missing
        except ModuleNotFoundError:
            raise ConfigurationError(
                f"The backend rekognition needs botocore: {install_command('rekognition')}"
            ) from None
        # The credential chain reads files, runs programs and calls services, with its own timeouts.
        # It runs in a thread, so that a call can time out earlier.
        self._lookups = HelperThreads(1, "facematch-aws-credentials")
        self._profile = profile
        self._keys = keys
        self._opened: Any = None
        self.region = region or self._ask(lambda: self._session.get_config_variable("region"))
        if not re.fullmatch(r"[a-z]{2,4}(-[a-z]+)+-[0-9]", self.region or ""):
            raise ConfigurationError(
                "The backend rekognition needs a region such as eu-west-1: set the environment "
                "variable AWS_REGION, or region in [profiles.NAME.settings] of the configuration "
                "file."
            )

    @property
    def _session(self) -> Any:
        # Created lazily, because this takes longer than a call. No lock (which a fork could leave
        # held) is needed: after the constructor, only the thread of `_lookups` uses the session.
        if self._opened is None:
            import botocore.session

            self._opened = botocore.session.Session(profile=self._profile)
        return self._opened

    def find_endpoint(self) -> str:
        """Return the endpoint from AWS's settings, or an empty string.

        The environment overrides the configuration file, and a service's endpoint overrides the
        endpoint for all services (AWS SDKs and Tools Reference Guide, Service-specific endpoints,
        read 2026-11-26).

        Raises:
            ConfigurationError: the endpoint is on another machine.
        """
        source, url = self._ask(self._read_endpoint)
        if not url:
            return ""
        try:
            host = urlsplit(url).hostname or ""
        except ValueError:
            host = ""
        if is_loopback(host):
            return str(url)
        raise ConfigurationError(
            f"{source} names {host[:80] or 'no host'}, which is not on this machine: set base_url "
            "(and allow_base_url, if the host is not AWS's) to use it, or "
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true to call AWS's own endpoint."
        )

    def _read_endpoint(self) -> tuple[str, str]:
        """Return where the endpoint is set, and its URL; an empty URL if it is not set."""
        session = self._session
        profile = session.get_scoped_config()
        services = session.full_config.get("services", {}).get(profile.get("services"), {})
        own = services.get("rekognition", {}).get("endpoint_url")
        if session.get_config_variable("ignore_configured_endpoint_urls"):
            return "", ""
        for name in ("AWS_ENDPOINT_URL_REKOGNITION", "AWS_ENDPOINT_URL"):
            url = os.environ.get(name)
            if url:
                return name, url
        return "endpoint_url of the AWS profile", own or profile.get("endpoint_url") or ""

    def freeze(self, deadline: Deadline) -> Any:
        """Return botocore's ``ReadOnlyCredentials`` for one call.

        Raises:
            ConfigurationError: no credentials are configured.
            AuthenticationFailed: AWS's sign-in failed.
            VendorUnavailable: the lookup did not finish before the deadline.
        """
        try:
            return self._lookups.run(self._look_up, deadline)
        except (NoThread, StillRunning):
            raise VendorUnavailable(
                "rekognition: no AWS credentials before the deadline. Nothing was sent.",
                billing=Billing(Charged.NO, "the request was not sent"),
                retryable=False,
            ) from None

    def _look_up(self) -> Any:
        credentials = self._ask(self._find_credentials)
        if credentials is None:
            raise ConfigurationError(_MISSING)
        return self._ask(credentials.get_frozen_credentials)

    def _find_credentials(self) -> Any:
        if not self._keys:
            return self._session.get_credentials()
        from botocore.credentials import Credentials

        key_id, secret_key, token = (key.reveal() if key else None for key in self._keys)
        return Credentials(key_id, secret_key, token)

    def _ask(self, ask: Callable[[], Any]) -> Any:
        """Call botocore. Errors name only botocore's class: its messages may contain keys."""
        try:
            with muted("botocore"):
                return ask()
        except Exception as error:  # noqa: BLE001 - the chain may raise anything
            error_name = type(error).__name__
        if error_name in _MISTAKES:
            raise ConfigurationError(f"rekognition: invalid AWS profile ({error_name}).")
        raise AuthenticationFailed(
            f"rekognition: sign-in to AWS failed ({error_name}).",
            billing=Billing(Charged.NO, "the request was not sent"),
        )


def sign_request(
    request: HttpRequest, *, region: str, credentials: Any, at: datetime
) -> HttpRequest:
    """Return the encoded `request` with Signature Version 4 headers."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    headers = {**request.headers, "X-Amz-Date": at.strftime("%Y%m%dT%H%M%SZ")}
    if credentials.token:
        headers["X-Amz-Security-Token"] = Secret(credentials.token)
    revealed = {}
    for name, text in headers.items():
        revealed[name] = text.reveal() if isinstance(text, Secret) else text
    aws_request = AWSRequest(request.method, request.url, revealed, request.body)
    aws_request.context["timestamp"] = revealed["X-Amz-Date"]
    keys = Credentials(credentials.access_key, credentials.secret_key, credentials.token)
    auth = SigV4Auth(keys, "rekognition", region)
    # `add_auth` would log each step and the session token.
    text_to_sign = auth.string_to_sign(aws_request, auth.canonical_request(aws_request))
    signature = auth.signature(text_to_sign, aws_request)
    signed_names = auth.signed_headers(auth.headers_to_sign(aws_request))
    headers["Authorization"] = Secret(
        f"AWS4-HMAC-SHA256 Credential={auth.scope(aws_request)}, SignedHeaders={signed_names}, "
        f"Signature={signature}"
    )
    masked = list(request.masked)
    for part in credentials:
        if part:
            masked.append(Secret(part))
    return attrs.evolve(request, headers=headers, masked=tuple(masked))
