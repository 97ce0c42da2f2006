"""Acme Face Compare. The vendor is invented: this is an example of a plug-in, to be copied."""

from typing import Any, ClassVar

import attrs

from facematch_core import (
    Billed,
    Decision,
    MatchResult,
    Operation,
    ResultWarning,
    ScaleSource,
    Score,
    Secret,
    ThresholdRule,
    WarningCode,
)
from facematch_core.backend import Capabilities, ImageFormat, ImageLimits, MatchCall
from facematch_core.http import HttpBackend, HttpReply, HttpRequest, check_base_url, picture

#: Acme's verdicts; a word that is not here means that a person should look.
DECISIONS = {"same": Decision.MATCH, "different": Decision.NO_MATCH, "unsure": Decision.REVIEW}
NO_FACE = ResultWarning(code=WarningCode.NO_FACE, text="similarity is null: a face is missing")
HOSTS = frozenset({"api.acme.example"})


def _secret(key: Secret | str) -> Secret:
    return Secret.of(key)


def _acmes(url: str) -> str:
    # Only Acme and this machine may receive the key and the faces.
    return check_base_url(url, allowed_hosts=HOSTS)


@attrs.frozen(kw_only=True)
class AcmeBackend(HttpBackend):
    """Compares two faces at Acme. A key may come from ``ACME_API_KEY``."""

    name = "acme"
    environment_variables: ClassVar[dict[str, str]] = {"api_key": "ACME_API_KEY"}
    allowed_hosts = HOSTS
    capabilities = Capabilities(
        threshold_rule=ThresholdRule.AT_LEAST,
        default_threshold=75.0,
        score_scale="acme/compare",
        billed_operations=frozenset({Operation.MATCH}),
        image_limits=ImageLimits(formats={ImageFormat.JPEG, ImageFormat.PNG}, max_bytes=1_000_000),
    )

    api_key: Secret = attrs.field(converter=_secret)
    base_url: str = attrs.field(default="https://api.acme.example", converter=_acmes)

    def build(self, call: MatchCall) -> HttpRequest:
        assert call.threshold is not None  # there is a default
        return HttpRequest(
            url=f"{self.base_url}/compare",
            headers={"X-Api-Key": self.api_key},
            fields={"threshold": str(call.threshold.value)},
            files=[picture("probe", call.probe), picture("reference", call.reference)],
        )

    def parse(self, call: MatchCall, reply: HttpReply) -> MatchResult:
        body: dict[str, Any] = reply.json()
        verdict, similarity = body["verdict"], body["similarity"]
        scored = similarity is not None
        return MatchResult(
            decision=DECISIONS.get(verdict, Decision.REVIEW) if scored else Decision.INCONCLUSIVE,
            score=Score(similarity, "acme/compare") if scored else None,
            raw_score=similarity,
            raw_score_name="similarity",
            scale_source=ScaleSource.DOCUMENTED if scored else None,
            warnings=() if scored else (NO_FACE,),
            backend=self.name,
            vendor_status=verdict,
            request_id=body["id"],
            billed=Billed.YES,
            billed_ground="Acme charges every answer 200",
            raw=body,
        )
