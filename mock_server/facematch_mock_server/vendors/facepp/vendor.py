"""Face++'s `POST /facepp/v3/compare`, `/facepp/v3/detect` and `/facepp/v3/face/analyze`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from facematch_mock_server.vendors.kit import (
    CallOutcome,
    FormKey,
    Key,
    KeyKind,
    MatchOutcome,
    NotImitated,
    PairCall,
    PairEndpoint,
    PairVendor,
    PictureFields,
    Response,
    SeenPicture,
    Variables,
    Vendor,
)

from . import calls
from .claims import CLAIMS
from .wire import (
    THRESHOLDS,
    begin_answer,
    describe_face,
    find_face,
    list_faces,
    new_image_id,
    wanted_attributes,
)

#: The key and its secret that are valid from the start.
API_KEY = "mock-facepp-key"
SECRET = "mock-facepp-secret"  # noqa: S105 - of the mock
PATH = "/facepp/v3/compare"
DETECT = "/facepp/v3/detect"
ANALYZE = "/facepp/v3/face/analyze"


class Facepp(PairVendor):
    """The mock of Face++ in one world. Thread-safe."""

    extra_prefixes = ("/facepp/",)
    endpoints = (
        PairEndpoint(
            path=PATH,
            pictures=PictureFields(
                files=("image_file1", "image_file2"),
                texts=("image_base64_1", "image_base64_2"),
                tokens=("face_token1", "face_token2"),
                links=("image_url1", "image_url2"),
            ),
        ),
        PairEndpoint(
            path=DETECT,
            pictures=PictureFields(
                files=("image_file",), texts=("image_base64",), links=("image_url",)
            ),
            operation="detect",
        ),
        PairEndpoint(
            path=ANALYZE, pictures=PictureFields(tokens=("face_tokens",)), operation="detect"
        ),
        *calls.HANDLERS,
    )
    handlers = calls.HANDLERS
    key = FormKey("api_key", "api_secret", in_query=True)
    rate_scope = "second"
    bodies_tell_no_face = True
    takes_links = True
    #: Of Face++'s API reference (console.faceplusplus.com/documents).
    not_imitated = NotImitated(
        "docs/vendors/facepp.md",
        "/facepp/v1/*",
        "/facepp/v2/*",
        "/facepp/v3/face/getdetail",
        "/facepp/v3/face/setuserid",
        "/facepp/v3/faceset/async/*",
        "/facepp/v3/faceset/getdetail",
        "/facepp/v3/faceset/getfacesets",
        "/facepp/v3/faceset/update",
    )
    not_found_claim = "path"
    errors: ClassVar[Mapping[int, tuple[str, ...]]] = {
        400: ("error.rejected",),
        401: ("key.wrong",),
        403: ("key.denied",),
        404: ("path",),
        413: ("request.too_large",),
        500: ("error.internal",),
    }

    def read_body(self, call: PairCall) -> None:
        if call.request.body:
            super().read_body(call)
        query = dict(call.request.query)
        # Fields are taken from the query, too; that the form goes first is ours. (public clients of
        # detect, version 3)
        call.texts = {**query, **call.texts}

    def handle_call(self, call: PairCall) -> Response:
        if call.endpoint.path == ANALYZE:
            return self.analyze(call)
        return super().handle_call(call)

    def analyze(self, call: PairCall) -> Response:
        """Describe faces that answers named by a token."""
        self.read(call)
        tokens = call.texts.get("face_tokens")
        if not tokens:
            call.refuse("field.missing", name="face_tokens")
        listed = tokens.split(",")
        if len(listed) > call.claims["analyze.max_faces"]:
            call.refuse("analyze.too_many")
        asks_for_landmarks = call.texts.get("return_landmark", "0") != "0"
        if not asks_for_landmarks and wanted_attributes(call) == ["none"]:
            call.refuse("analyze.void")
        faces = []
        for token in listed:
            faces.append(describe_face(call, token, find_face(call, token)))
        self.charge(call)
        body = {**begin_answer(call, time_used_ms=212), "faces": faces}
        return call.answer("analyze.answer", body)

    def match_body(self, call: PairCall, outcome: MatchOutcome) -> dict[str, Any]:
        """Return the comparison with the faces of each picture; a side by its token has none.

        Without a face in a picture there is neither confidence nor thresholds.
        """
        body = begin_answer(call, time_used_ms=473)
        names = call.pictures.keys()
        for number, (name, picture, seen) in enumerate(
            zip(names, call.pictures.values(), (outcome.probe, outcome.reference), strict=True), 1
        ):
            if name.startswith("face_token"):
                # A face token takes precedence over a picture. That its side of the answer has
                # neither image_id nor faces, and that it is known until 10,000 others came, is
                # ours. (Face++, Compare API version 3.0 (changelog to 2017-03-28))
                continue
            body[f"image_id{number}"] = new_image_id(call)
            body[f"faces{number}"] = list_faces(call, picture, seen)
        score = call.score_of(outcome)
        if outcome.score is None or score is None:
            # Without a face in a picture, its list is empty, and there is neither confidence nor
            # thresholds. (Face++, Compare API version 3.0 (changelog to 2017-03-28))
            return body
        body["confidence"] = round(score, 3)
        body["thresholds"] = THRESHOLDS
        return body

    def detect_body(self, call: PairCall, seen: SeenPicture) -> dict[str, Any]:
        (picture,) = call.pictures.values()
        faces = list_faces(call, picture, seen)
        return {
            **begin_answer(call, time_used_ms=212),
            "image_id": new_image_id(call),
            "face_num": len(faces),
            "faces": faces,
        }

    def is_charged(self, outcome: CallOutcome) -> bool:
        return isinstance(outcome, SeenPicture) or outcome.score is not None


VENDOR = Vendor(
    name="facepp",
    title="Face++",
    claims=CLAIMS,
    rate_limits={"second": "rate.limit"},
    operations=("match", "detect"),
    hosts=frozenset({"api-us.faceplusplus.com", "api-cn.faceplusplus.com"}),
    first_keys={SECRET: Key(kind=KeyKind.LIVE, client=API_KEY)},
    variables=Variables(keys=({"FACEPP_API_KEY": API_KEY, "FACEPP_API_SECRET": SECRET},)),
    key_of=Facepp.key.client_of,
    credentials_of=Facepp.key.credentials_of,
    records=calls.Records,
    behaviour=Facepp,
    greeting=(
        f"api_key: {API_KEY}, api_secret: {SECRET}",
        (
            f"curl -F api_key={API_KEY} -F api_secret={SECRET} "
            f"-F image_file1=@cards/p1.png -F image_file2=@cards/p1-again.png {{url}}{PATH}"
        ),
    ),
)
