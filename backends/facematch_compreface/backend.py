"""`ComprefaceBackend`: build requests to a CompreFace server and parse its responses.

Sources: CompreFace's documentation and source at commit ddf32da (November 2023, version 1.2.0, the
latest), read 2026-11-21. "Ours" marks a choice of this project.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import attrs

from facematch_core import Charged, ConfigurationError, MatchResult, Score
from facematch_core.backend import (
    MULTIPLE_FACES,
    NO_FACE,
    Capabilities,
    ImageFormat,
    ImageLimits,
    MatchRequest,
    UnreadableField,
    decide_by_largest_face,
    json_object,
    nonempty_text,
    number,
    objects,
    only_object,
    read_at,
    read_or_none,
)
from facematch_core.errors import AuthenticationFailed
from facematch_core.http import (
    ApiKeyBackend,
    BoxPaths,
    ErrorRow,
    HttpReply,
    HttpRequest,
    InconclusiveRow,
    Json,
    file_part,
)
from facematch_core.models import Face, ThresholdRule

_FREE = "you run the server: CompreFace charges nothing"
_KEY = ErrorRow(AuthenticationFailed, Charged.NO, _FREE, "no verification service has this key")

#: From docs/Face-services-and-plugins.md, except ``landmarks2d106``, which needs a custom build.
_PLUGINS = ("calculator", "landmarks", "mask", "pose")
_BOX = BoxPaths(box=("box",), left="x_min", top="y_min", right="x_max", bottom="y_max")

_NO_FACE = attrs.evolve(
    NO_FACE, text="no face was found in one of the pictures, or a picture cannot be read"
)
_TWO_FACES = attrs.evolve(MULTIPLE_FACES, text="the probe shows more than one face")
_SEVERAL = attrs.evolve(
    MULTIPLE_FACES,
    text="the reference shows more than one face; the largest is compared",
)


@attrs.frozen(kw_only=True)
class ComprefaceBackend(ApiKeyBackend):
    """Compares two faces on a CompreFace server.

    CompreFace returns a similarity but no verdict. The default threshold is 50. According to
    CompreFace's documentation, most pairs of one person score above 0.5 and most pairs of two
    people below. It recommends a higher threshold if security matters. Each model has its own score
    scale. Calls are free, so a call whose response was lost can be retried.

    CompreFace rejects a probe with several faces, and returns a similarity for each face of the
    reference. That the largest of these decides is ours (see `decide_by_largest_face`).

    Args:
        api_key: The key of a face verification service. Default: ``COMPREFACE_API_KEY``.
        base_url: The server's address. A server on another machine requires `allow_base_url`.
        model: The server's calculator, such as ``facenet.Calculator``. The score scale is named
            after it. Responses from another model raise `UnexpectedResponse`. None accepts any.
        det_prob_threshold: The face detector's minimum confidence, 0-1. Default: the server's.
        plugins: The face plug-ins to run, separated by commas. ``mask`` sets `Face.quality` to
            CompreFace's label and its probability, 0-1. ``landmarks``, ``pose`` and ``calculator``
            are in `raw`; the last adds the embedding, which is biometric data. The server ignores
            plug-ins that are not installed.

    Raises:
        ConfigurationError: a setting is wrong.
    """

    name = "compreface"
    api_path = "/api/v1(/.*)?"
    own_error = ("code",)
    # Other codes are mapped by their HTTP status. The server also returns 400 for internal errors.
    error_codes: ClassVar[Mapping[str, ErrorRow | InconclusiveRow]] = {
        **dict.fromkeys(("10", "20", "26 key"), _KEY),
        "28": InconclusiveRow(_NO_FACE, Charged.NO, _FREE),
        "31": InconclusiveRow(_TWO_FACES, Charged.NO, _FREE),
    }
    capabilities = Capabilities(
        # Ours: CompreFace does not document whether a similarity equal to the threshold matches.
        threshold_rule=ThresholdRule.AT_LEAST,
        default_threshold=50.0,
        score_scale="compreface/similarity",
        reports_faces=True,
        image_limits=ImageLimits(
            formats={ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.WEBP, ImageFormat.BMP},
            max_bytes=5 * 1024 * 1024,
            max_bytes_from="CompreFace's MAX_FILE_SIZE, 5 MB unless configured otherwise",
        ),
    )

    base_url: str = "http://127.0.0.1:8000"
    model: str | None = None
    det_prob_threshold: float | None = None
    plugins: str = ""

    def __attrs_post_init__(self) -> None:
        """Raise ConfigurationError for a wrong limit or plug-in.

        A named model gives a scale of its own.
        """
        super().__attrs_post_init__()
        limit = self.det_prob_threshold
        if limit is not None and not 0 <= limit <= 1:
            raise ConfigurationError(f"det_prob_threshold must be from 0 to 1 (got {limit!r}).")
        if self.plugins and not set(_PLUGINS).issuperset(self.plugins.split(",")):
            raise ConfigurationError(f"Unknown plugins {self.plugins!r}: use {','.join(_PLUGINS)}.")
        if self.model is not None:
            # Each model has its own scale, so each instance gets its own capabilities.
            vars(self)["capabilities"] = attrs.evolve(
                type(self).capabilities, score_scale=f"compreface/{self.model}"
            )

    def build(self, request: MatchRequest) -> HttpRequest:
        """Return the request for `call`. ``status`` adds the model's name to the response."""
        query = {"status": "true"}
        if self.det_prob_threshold is not None:
            query["det_prob_threshold"] = str(self.det_prob_threshold)
        if self.plugins:
            query["face_plugins"] = self.plugins
        return HttpRequest(
            url=f"{self.service_url}/api/v1/verification/verify",
            params=query,
            headers={"x-api-key": self.api_key},
            files=[
                file_part("source_image", request.probe),
                file_part("target_image", request.reference),
            ],
            charges=0,
        )

    def parse(self, request: MatchRequest, reply: HttpReply) -> MatchResult:
        """Parse a 200 response. Any exception means that the response cannot be parsed."""
        body = reply.json()
        result = read_at(only_object, body, "result")
        versions = (
            read_or_none(json_object, result.get("plugins_versions"), "plugins_versions") or {}
        )
        model = read_or_none(
            nonempty_text, versions.get("calculator"), "plugins_versions", "calculator"
        )
        if self.model not in (None, model):
            raise UnreadableField("is not `model`", "plugins_versions", "calculator")
        scale = self.capabilities.score_scale or self.name
        references = []

        def read_score(value: Json) -> Score | None:
            if value is None:
                return None
            return Score.from_fraction(number(value), scale, raw_name="similarity")

        for match in read_at(objects, result, "face_matches"):
            score = read_at(read_score, match, "similarity")
            references.append(_read_face(match, "face_matches", similarity=score))
        by_largest_face = decide_by_largest_face(references, request.threshold)
        warnings = list(by_largest_face.warnings)
        if len(references) > 1:
            warnings.insert(0, _SEVERAL)
        return MatchResult(
            decision=by_largest_face.decision,
            score=by_largest_face.score,
            warnings=tuple(warnings),
            probe_faces=(
                _read_face(result.get("source_image_face"), "source_image_face", compared=True),
            ),
            reference_faces=by_largest_face.faces,
            backend=self.name,
            model=model,
            raw=body,
        )

    def error_code(self, reply: HttpReply) -> object:
        """Return CompreFace's error code, or ``26 key`` if the key is not a UUID.

        The server returns code 26 for any violated constraint, so the message is checked as well.
        """
        code = reply.at("code")
        is_key = code == 26 and reply.at("message") == "Service API key should be UUID"
        return "26 key" if is_key else code


def _read_face(
    face: Json, place: str, *, compared: bool | None = None, similarity: Score | None = None
) -> Face:
    """Parse a face. The fields of plug-ins that did not run are None."""
    body = read_or_none(json_object, face, place) or {}
    return Face(
        box=_BOX.read(body, place),
        confidence=read_or_none(_read_probability, body.get("box"), place, "box", "probability"),
        quality=read_or_none(_read_mask, body.get("mask"), place, "mask"),
        compared=compared,
        similarity=similarity,
    )


def _read_mask(mask: Json) -> dict[str, float]:
    return {nonempty_text(mask["value"]): _read_probability(mask)}


def _read_probability(body: Json) -> float:
    value = number(body["probability"])
    if not 0 <= value <= 1:
        raise ValueError("a probability outside 0-1")
    return value
