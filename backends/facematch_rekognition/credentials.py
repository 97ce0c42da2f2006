"""Whose requests they are: AWS's credential chain, and signatures made with what it gives.

botocore does both. Its loggers write signed headers and answers of AWS's sign-in services at level
DEBUG, so they are silent while it works here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import attrs

from facematch_core import AuthenticationFailed, Billing, Charged, ConfigurationError, Secret
from facematch_core.backend import muted
from facematch_core.base.deadline import Deadline
from facematch_core.base.threads import HelperThreads, NoThread, StillRunning
from facematch_core.errors import VendorUnavailable
from facematch_core.http import HttpRequest

_MISSING = (
    "rekognition finds no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the "
    "setting aws_profile, or give this machine a role."
)
#: Mistakes of whoever configured them; everything else that goes wrong is a failed sign-in.
_MISTAKES = ("ProfileNotFound", "PartialCredentialsError", "ConfigNotFound", "ConfigParseError")


class Chain:
    """AWS's credentials, or `keys`, looked for at the first call and renewed when they expire."""

    def __init__(
        self, profile: str | None, region: str | None, keys: Sequence[Secret | None] = ()
    ) -> None:
        try:
            import botocore.session  # noqa: F401 - a missing one is said now
        except ModuleNotFoundError:
            raise ConfigurationError(
                'The backend rekognition needs botocore: pip install -e ".[rekognition]" in the '
                "checkout."
            ) from None
        # It asks files, programs and services, whose time-outs are its own. One look at a time is
        # enough, and whose call has no time left does not wait for it.
        self._lookups = HelperThreads(1, "facematch-aws-credentials")
        self._profile, self._keys = profile, keys
        self._opened: Any = None
        self.region = region or self._ask(lambda: self._session.get_config_variable("region"))
        if not re.fullmatch(r"[a-z]{2,4}(-[a-z]+)+-[0-9]", self.region or ""):
            raise ConfigurationError(
                "The backend rekognition needs a region such as eu-west-1: set region or "
                "AWS_REGION."
            )

    @property
    def _session(self) -> Any:
        """botocore's own; to make one takes longer than a call, and whoever has keys needs none."""
        # The one thread of `_lookups` makes it, without a lock that a fork could keep.
        if self._opened is None:
            import botocore.session

            self._opened = botocore.session.Session(profile=self._profile)
        return self._opened

    def freeze(self, deadline: Deadline) -> Any:
        """botocore's ``ReadOnlyCredentials`` of one call; where there are none, nothing is sent."""
        try:
            return self._lookups.run(self._look_up, deadline)
        except (NoThread, StillRunning):
            raise VendorUnavailable(
                "The deadline ran out before AWS gave rekognition credentials. Nothing was sent.",
                billing=Billing(Charged.NO, "the request was not sent"),
                retryable=False,
            ) from None

    def _look_up(self) -> Any:
        credentials = self._ask(self._find)
        if credentials is None:
            raise ConfigurationError(_MISSING)
        return self._ask(credentials.get_frozen_credentials)

    def _find(self) -> Any:
        if not self._keys:
            return self._session.get_credentials()
        from botocore.credentials import Credentials

        return Credentials(*(key.reveal() if key else None for key in self._keys))

    def _ask(self, ask: Callable[[], Any]) -> Any:
        """What botocore answers; of its errors the kind alone, for they may quote anything."""
        try:
            with muted("botocore"):
                return ask()
        except Exception as error:  # noqa: BLE001 - of whatever the chain asks
            kind = type(error).__name__
        if kind in _MISTAKES:
            raise ConfigurationError(f"The AWS profile of rekognition cannot be used: {kind}.")
        raise AuthenticationFailed(
            f"AWS gave rekognition no credentials: {kind}.",
            billing=Billing(Charged.NO, "the request was not sent"),
        )


def sign_request(
    request: HttpRequest, *, region: str, credentials: Any, at: datetime
) -> HttpRequest:
    """The encoded `request` with the headers of Signature Version 4."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    headers = {**request.headers, "X-Amz-Date": at.strftime("%Y%m%dT%H%M%SZ")}
    if credentials.token:
        headers["X-Amz-Security-Token"] = Secret(credentials.token)
    plain = {n: text.reveal() if isinstance(text, Secret) else text for n, text in headers.items()}
    aws_request = AWSRequest(request.method, request.url, plain, request.body)
    aws_request.context["timestamp"] = plain["X-Amz-Date"]
    auth = SigV4Auth(Credentials(*credentials), "rekognition", region)
    # Step by step: its add_auth writes each step, the session token too, into a log.
    text = auth.string_to_sign(aws_request, auth.canonical_request(aws_request))
    signature = auth.signature(text, aws_request)
    names = auth.signed_headers(auth.headers_to_sign(aws_request))
    headers["Authorization"] = Secret(
        f"AWS4-HMAC-SHA256 Credential={auth.scope(aws_request)}, SignedHeaders={names}, "
        f"Signature={signature}"
    )
    masked = (*request.masked, *(Secret(part) for part in credentials if part))
    return attrs.evolve(request, headers=headers, masked=masked)
