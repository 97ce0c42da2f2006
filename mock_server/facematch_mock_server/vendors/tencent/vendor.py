"""Tencent Cloud IAI: CompareFace and DetectLiveFaceAccurate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NoReturn

import attrs

from facematch_core import Image
from facematch_core.backend import ImageFormat
from facematch_mock_server.base.messages import Headers, Request, Response
from facematch_mock_server.recognition.outcomes import LivenessOutcome, MatchOutcome
from facematch_mock_server.vendors import base
from facematch_mock_server.vendors.pairs import PairCall, PairEndpoint, PairVendor, PictureFields
from facematch_mock_server.world.keys import Key, KeyKind

from .claims import CLAIMS, REGIONS
from .signature import SigningKey

#: The key that is valid from the start.
SECRET_ID = "mock-secret-id"  # noqa: S105 - of the mock
SECRET_KEY = "mock-secret-key"  # noqa: S105 - of the mock
VERSION = "2020-03-03"

COMPARE = PairEndpoint(
    path="/", pictures=PictureFields(json=(("ImageA",), ("ImageB",))), action="CompareFace"
)
LIVENESS = PairEndpoint(
    path="/",
    pictures=PictureFields(json=(("Image",),)),
    operation="liveness",
    action="DetectLiveFaceAccurate",
)
#: Endpoints by the header X-TC-Action.
ENDPOINTS = {COMPARE.action: COMPARE, LIVENESS.action: LIVENESS}
#: The models that each endpoint has.
MODELS = {COMPARE: ("3.0", "2.0"), LIVENESS: ("3.0",)}
#: The fields that take precedence over pictures.
URLS = ("UrlA", "UrlB", "Url")


@attrs.define(kw_only=True, eq=False)
class TencentCall(PairCall):
    """A call whose refusals cite what is known about every refusal."""

    def refuse(
        self, key: str, /, *facts: str, body: object = None, headers: Headers = (), **filled: object
    ) -> NoReturn:
        facts = ("error.status", "error.message", *facts)
        super().refuse(key, *facts, body=body, headers=headers, **filled)


def _refuse_action(call: TencentCall) -> Response:
    call.refuse("action.unknown")


class Tencent(PairVendor):
    """The mock of Tencent Cloud IAI in one world; all actions have one path. Thread-safe."""

    call = TencentCall
    endpoints = (COMPARE, LIVENESS)
    key = SigningKey()
    rate_scope = "second"
    not_found_claim = "action.unknown"
    # The status of an outage is not known, and every refusal is a 200.
    errors: ClassVar[Mapping[int, tuple[str, ...]]] = {}
    other_routes = (
        base.Route(pattern="/", handlers={"POST": _refuse_action}, credentials=("authorization",)),
    )

    def find(self, head: Request) -> tuple[base.Route | None, tuple[str, ...]]:
        """Return the route of the action that a header names; None for a call to AWS."""
        if head.method != "POST" or head.path != "/" or head.header("x-amz-target") is not None:
            return None, ()
        endpoint = ENDPOINTS.get(head.header("x-tc-action", ""))
        for route in self.routes:
            # The route of unknown actions has no endpoint.
            if route.extra is endpoint:
                return route, ()
        return None, ()

    def known_paths(self) -> tuple[str, ...]:
        """Return no paths to suggest, because a header selects the action."""
        return ()

    def read_body(self, call: PairCall) -> None:
        self.check_headers(call)
        call.json_body = call.read_object("body.wrong_json")
        if call.json_body.get("FaceModelVersion", "3.0") not in MODELS[call.endpoint]:
            call.refuse("model.unknown")
        if any(call.json_body.get(name) for name in URLS):
            call.refuse("picture.url")

    def check_headers(self, call: PairCall) -> None:
        """Refuse another version, and for a liveness check a missing or unknown region."""
        if call.request.header("x-tc-version") != VERSION:
            call.refuse("action.version")
        if call.endpoint is not LIVENESS:
            return
        region = call.request.header("x-tc-region")
        if region is None:
            call.refuse("region.missing")
        if region not in REGIONS:
            call.refuse("region.unknown")

    def find_picture(self, call: PairCall, index: int) -> tuple[str, Any]:
        name, content = super().find_picture(call, index)
        # An empty text is refused like a missing one.
        return name, content or None

    def check_pictures(self, call: PairCall) -> None:
        super().check_pictures(call)
        for name, picture in call.pictures.items():
            facts = call.world.recognizer.facts.of(picture.content, picture.digest)
            if facts.size is None:
                continue  # a picture that cannot be decoded is refused after the comparison
            if min(facts.size) < 64:
                call.refuse("picture.short_side", name=name)
            is_jpeg = Image.from_bytes(picture.content).format is ImageFormat.JPEG
            longest_px = 4000 if is_jpeg else 2000
            if max(facts.size) > longest_px:
                call.refuse("picture.long_side", name=name)

    def match_body(self, call: PairCall, outcome: MatchOutcome) -> dict[str, Any]:
        score = outcome.score
        if max(len(outcome.probe.faces), len(outcome.reference.faces)) > 1:
            call.claims.cite("face.strategy")
            if call.json_body.get("FaceMatchingStrategy", 0) != 1:
                score = outcome.smaller_face_score
        return _answer(call, score)

    def liveness_body(self, call: PairCall, outcome: LivenessOutcome) -> dict[str, Any]:
        return _answer(call, outcome.score)


def _answer(call: PairCall, score: float | None) -> dict[str, Any]:
    model = call.json_body.get("FaceModelVersion", "3.0")
    answer = {"Score": score, "FaceModelVersion": model, "RequestId": call.request_id}
    return {"Response": answer}


#: The common host, the international one, and those of the regions.
_HOSTS = frozenset(
    {
        "iai.tencentcloudapi.com",
        "iai.intl.tencentcloudapi.com",
        *(f"iai.{region}.tencentcloudapi.com" for region in REGIONS),
    }
)

VENDOR = base.Vendor(
    name="tencent",
    title="Tencent Cloud IAI",
    claims=CLAIMS,
    settings={"price": ("credit.price", "amount")},
    rate_limits={"second": "rate.limit"},
    operations=("match", "liveness"),
    hosts=_HOSTS,
    first_keys={SECRET_KEY: Key(kind=KeyKind.LIVE, client=SECRET_ID)},
    key_of=Tencent.key.client_of,
    behaviour=Tencent,
    # No command of a shell can sign a call.
    greeting=(f"secret id: {SECRET_ID}, secret key: {SECRET_KEY}",),
)
