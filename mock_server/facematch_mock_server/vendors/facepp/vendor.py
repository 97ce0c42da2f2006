"""Face++'s `POST /facepp/v3/compare`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from facematch_mock_server.recognition.outcomes import LivenessOutcome, MatchOutcome, SeenFace
from facematch_mock_server.vendors import base
from facematch_mock_server.vendors.pairs import (
    FormKey,
    PairCall,
    PairEndpoint,
    PairVendor,
    PictureFields,
    box_in_pixels,
)
from facematch_mock_server.world.keys import Key, KeyKind

from .claims import CLAIMS, REQUEST_ID

#: The key and its secret that are valid from the start.
API_KEY = "mock-facepp-key"
SECRET = "mock-facepp-secret"  # noqa: S105 - of the mock
PATH = "/facepp/v3/compare"


class Facepp(PairVendor):
    """The mock of Face++ in one world. Thread-safe."""

    extra_prefixes = ("/facepp/",)
    endpoints = (
        PairEndpoint(
            path=PATH,
            pictures=PictureFields(
                files=("image_file1", "image_file2"), texts=("image_base64_1", "image_base64_2")
            ),
        ),
    )
    key = FormKey("api_key", "api_secret")
    rate_scope = "second"
    bodies_tell_no_face = True
    not_found_claim = "path"
    errors: ClassVar[Mapping[int, tuple[str, ...]]] = {
        400: ("error.rejected",),
        401: ("key.wrong",),
        403: ("key.denied",),
        404: ("path",),
        413: ("request.too_large",),
        500: ("error.internal",),
    }

    def match_body(self, call: PairCall, outcome: MatchOutcome) -> dict[str, Any]:
        body = {
            "request_id": REQUEST_ID.format(request_id=call.request_id),
            "time_used": 473,
            "image_id1": call.world.account.ids.uuid(),
            "image_id2": call.world.account.ids.uuid(),
            "faces1": [_describe(call, face) for face in outcome.probe.faces],
            "faces2": [_describe(call, face) for face in outcome.reference.faces],
        }
        if outcome.score is None:
            call.claims.cite("face.empty")
            return body
        body["confidence"] = round(outcome.score, 3)
        body["thresholds"] = {"1e-3": 62.327, "1e-4": 69.101, "1e-5": 73.975}
        return body

    def is_charged(self, outcome: MatchOutcome | LivenessOutcome) -> bool:
        return outcome.score is not None


def _describe(call: PairCall, face: SeenFace) -> dict[str, Any]:
    return {"face_token": call.world.account.ids.uuid(), "face_rectangle": box_in_pixels(face)}


VENDOR = base.Vendor(
    name="facepp",
    title="Face++",
    claims=CLAIMS,
    switches={"limit": ("each", "together")},
    settings={"price": ("credit.price", "amount")},
    rate_limits={"second": "rate.limit"},
    operations=("match",),
    hosts=frozenset({"api-us.faceplusplus.com", "api-cn.faceplusplus.com"}),
    first_keys={SECRET: Key(kind=KeyKind.LIVE, client=API_KEY)},
    key_of=Facepp.key.client_of,
    behaviour=Facepp,
    greeting=(
        f"api_key: {API_KEY}, api_secret: {SECRET}",
        (
            f"curl -F api_key={API_KEY} -F api_secret={SECRET} "
            f"-F image_file1=@cards/p1.png -F image_file2=@cards/p1-again.png {{url}}{PATH}"
        ),
    ),
)
