"""What to ask Acme, and what its answers mean.

**Acme is invented**, and so are these facts. Yours name their source and day:
"Acme API reference, Compare, read 2026-11-21".
"""

import base64
from typing import Any

import attrs
from facematch_core import (
    Billing,
    Charged,
    Decision,
    Ids,
    MatchResult,
    Operation,
    ScaleSource,
    Score,
    ThresholdRule,
    VendorUnavailable,
)
from facematch_core.backend import (
    NO_FACE,
    Capabilities,
    Image,
    ImageFormat,
    ImageLimits,
    MatchCall,
)
from facematch_core.http import ApiKeyBackend, BodyShape, ErrorRow, HttpReply, HttpRequest, rows

#: Who may receive the key and the faces, beside this machine.
HOST = "api.acme.example"
SCALE = "acme/compare"

#: "same: at least the threshold; different: below; unsure: a person should look."
DECISIONS = {"same": Decision.MATCH, "different": Decision.NO_MATCH, "unsure": Decision.REVIEW}

_FREE = "answers other than 200 are not charged"


# Pyright has the rules of dataclasses; attrs lets a frozen class inherit from one that is not.
@attrs.frozen(kw_only=True)  # pyright: ignore[reportGeneralTypeIssues]
class AcmeBackend(ApiKeyBackend):
    """Compares two faces at Acme.

    The key may come from ``ACME_API_KEY``.
    """

    name = "acme"
    allowed_hosts = frozenset({HOST})
    # Only if the body is JSON: an HTML page comes from a gateway, which cannot know whether the
    # call was charged.
    error_table = rows(
        [500, 503],
        ErrorRow(VendorUnavailable, Charged.NO, _FREE, "the vendor reports a fault of its own"),
        [BodyShape.JSON_OBJECT],
    )
    capabilities = Capabilities(
        threshold_rule=ThresholdRule.AT_LEAST,
        default_threshold=75.0,
        score_scale=SCALE,
        billed_operations=frozenset({Operation.MATCH}),
        image_limits=ImageLimits(formats={ImageFormat.JPEG, ImageFormat.PNG}, max_bytes=1_000_000),
    )

    base_url: str = f"https://{HOST}"

    def build(self, call: MatchCall) -> HttpRequest:
        """The request for `call`.

        A vendor that takes a form: ``fields={"threshold": "75"}, files=[picture("probe",
        call.probe)]``, with `picture` of `facematch_core.http`. One that takes the bytes as they
        are: ``body=call.probe.data``, and a Content-Type among the headers.
        """
        assert call.threshold is not None  # there is a default
        return HttpRequest(
            url=f"{self.address}/compare",
            headers={"X-Api-Key": self.api_key},
            json={
                "probe": _in_base64(call.probe),
                "reference": _in_base64(call.reference),
                "threshold": call.threshold.value,
            },
        )

    def parse(self, call: MatchCall, reply: HttpReply) -> MatchResult:
        """The result in an answer 200."""
        return match_result(reply.json())


def match_result(body: Any) -> MatchResult:
    """The result in the body of an answer 200.

    Raises:
        Exception: of any kind, if the body is not as documented. The caller learns that the call
            was charged and that its answer cannot be read, and not what stood in it.
    """
    verdict, similarity = text(body["verdict"]), number_or_none(body["similarity"])
    score = None
    if similarity is not None:
        # From 0 to 1 elsewhere? `Score.from_fraction`, which keeps 0.57 exactly 57.
        score = Score(
            similarity, SCALE, raw=similarity, raw_name="similarity", source=ScaleSource.DOCUMENTED
        )
    return MatchResult(
        decision=decide(verdict, score),
        score=score,
        warnings=(NO_FACE,) if score is None else (),
        backend="acme",
        vendor_status=verdict,
        ids=Ids(vendor=text(body["id"])),
        billing=Billing(Charged.YES, "Acme charges every answer 200"),
        raw=body,
    )


def decide(verdict: str, score: Score | None) -> Decision:
    """What the verdict means. Without a score it says nothing about the people.

    A vendor that gives no verdict: `facematch_core.backend.decide_by_threshold`.
    """
    if score is None:
        return Decision.INCONCLUSIVE
    # A word that no document names means that a person should look.
    return DECISIONS.get(verdict, Decision.REVIEW)


def text(value: object) -> str:
    """A text, and nothing that could be made one."""
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__}, not a text")
    return value


def number_or_none(value: object) -> float | None:
    """A number, or None for null; true and "93" are none."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{type(value).__name__}, not a number")
    return float(value)


def _in_base64(image: Image) -> str:
    return base64.b64encode(image.data).decode()
