"""What to ask, and with which settings. The answer is read in `_wire`."""

from typing import ClassVar

import attrs
from facematch_core import ConfigurationError, MatchResult, Operation, Secret, ThresholdRule
from facematch_core.backend import Capabilities, ImageFormat, ImageLimits, MatchCall
from facematch_core.http import HttpBackend, HttpReply, HttpRequest, check_base_url, picture

from . import _wire

#: Who may receive the key and the faces, beside this machine.
HOST = "api.acme.example"

#: Where the key may come from.
VARIABLE = "ACME_API_KEY"


def _secret(key: Secret | str) -> Secret:
    return Secret.of(key)


def _not_empty(_: object, attribute: "attrs.Attribute[Secret]", key: Secret) -> None:
    if not key.reveal():
        raise ConfigurationError(f"{attribute.name} is empty: set {VARIABLE}.")


def _flag(_: object, attribute: "attrs.Attribute[bool]", value: object) -> None:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{attribute.name} must be True or False.")


@attrs.frozen(kw_only=True)
class AcmeBackend(HttpBackend):
    """Compares two faces at Acme.

    Attributes:
        api_key: The key of the account; it may come from `VARIABLE`.
        base_url: Where requests go; another host than `HOST` needs `allow_base_url`.
        allow_base_url: Whether that other host may receive the key and the faces.
        allow_insecure: Whether they may travel there without TLS.
    """

    name = "acme"
    environment_variables: ClassVar[dict[str, str]] = {"api_key": VARIABLE}
    allowed_hosts = frozenset({HOST})
    error_table = _wire.ERRORS
    capabilities = Capabilities(
        threshold_rule=ThresholdRule.AT_LEAST,
        default_threshold=75.0,
        score_scale=_wire.SCALE,
        billed_operations=frozenset({Operation.MATCH}),
        image_limits=ImageLimits(formats={ImageFormat.JPEG, ImageFormat.PNG}, max_bytes=1_000_000),
    )

    api_key: Secret = attrs.field(converter=_secret, validator=_not_empty)
    base_url: str = f"https://{HOST}"
    allow_base_url: bool = attrs.field(default=False, validator=_flag)
    allow_insecure: bool = attrs.field(default=False, validator=_flag)

    def __attrs_post_init__(self) -> None:
        self._address()  # refused now, not by the first call

    def _address(self) -> str:
        return check_base_url(
            self.base_url,
            allowed_hosts=self.allowed_hosts,
            allow_base_url=self.allow_base_url,
            allow_insecure=self.allow_insecure,
        )

    def build(self, call: MatchCall) -> HttpRequest:
        """The request for `call`."""
        assert call.threshold is not None  # there is a default
        return HttpRequest(
            url=f"{self._address()}/compare",
            headers={"X-Api-Key": self.api_key},
            fields={"threshold": str(call.threshold.value)},
            files=[picture("probe", call.probe), picture("reference", call.reference)],
        )

    def parse(self, call: MatchCall, reply: HttpReply) -> MatchResult:
        """The result in an answer 200."""
        return _wire.match_result(reply.json())
