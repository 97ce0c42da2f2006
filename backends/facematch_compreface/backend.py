"""`ComprefaceBackend`: what it asks a CompreFace server, and what the answers mean.

Facts are from CompreFace's documentation and source at commit ddf32da (November 2023, version
1.2.0, the last one), read 2026-11-21. What is ours says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import attrs

from facematch_core import (
    Box,
    Charged,
    ConfigurationError,
    Demographics,
    Face,
    MatchResult,
    ResultWarning,
    Score,
    ThresholdRule,
)
from facematch_core.backend import (
    MULTIPLE_FACES,
    NO_FACE,
    SCORE_UNAVAILABLE,
    Capabilities,
    ImageFormat,
    ImageLimits,
    MatchCall,
    decide_by_threshold,
    number,
)
from facematch_core.errors import AuthenticationFailed, VendorUnavailable
from facematch_core.http import (
    ApiKeyBackend,
    BodyShape,
    ErrorRow,
    HttpReply,
    HttpRequest,
    InconclusiveRow,
    picture,
    rows,
)

_NO_CHARGE = "the server is one's own: CompreFace charges nobody"
_KEY = ErrorRow(
    AuthenticationFailed, Charged.NO, _NO_CHARGE, "no verification service has this key"
)
_DOWN = ErrorRow(VendorUnavailable, Charged.NO, _NO_CHARGE, "the service behind it does not answer")

#: docs/Face-services-and-plugins.md. ``landmarks2d106`` needs a build of one's own.
_PLUGINS = ("age", "calculator", "gender", "landmarks", "mask", "pose")
#: In the order of embedding-calculator's detectors.
_LANDMARKS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
_SIDES = ("x_min", "y_min", "x_max", "y_max")

_NO_FACE = attrs.evolve(
    NO_FACE, text="no face was found in one of the pictures, or one of them cannot be read"
)
_TWO_FACES = attrs.evolve(MULTIPLE_FACES, text="the probe shows more than one face")
_SEVERAL = attrs.evolve(
    MULTIPLE_FACES,
    text="the reference shows more than one face; the one most like the probe was taken",
)


@attrs.frozen(kw_only=True)
class ComprefaceBackend(ApiKeyBackend):
    """Compares two faces on a CompreFace server.

    CompreFace gives a similarity and no verdict: the threshold decides, 50 unless a caller sets
    another. Its documentation says that most faces of one person are above 0.5 and most of
    two people below, and recommends more where security matters. What a similarity is worth
    depends on the model of the server. Nothing is charged.

    Args:
        api_key: Of a face verification service. May come from ``COMPREFACE_API_KEY``.
        base_url: Where the server listens; beyond this machine it needs `allow_base_url`.
        model: Name of the server's calculator, ``facenet.Calculator`` for example. It names the
            scale of the scores, and answers of another model are refused. None for whatever the
            server has: then only the result says.
        det_prob_threshold: How sure the detector must be that a face is one, 0-1; None for the
            server's own.
        plugins: What else to look for in each face, with commas between: ``landmarks``, ``pose``;
            ``mask``, whose word and probability (0-1) become the face's `quality`; ``age``, the
            middle (ours) of the server's range, and ``gender``, which are demographics;
            ``calculator``, whose embedding is in `raw` alone and is as private as the face. A
            server passes over what it has not.

    Raises:
        ConfigurationError: a setting is wrong.
    """

    name = "compreface"
    error_table = rows(range(500, 600), _DOWN, [BodyShape.JSON_OBJECT])
    #: Whatever the server did not foresee is a 400, too, faults of its own among it: not here.
    error_codes: ClassVar[Mapping[str, ErrorRow | InconclusiveRow]] = {
        **dict.fromkeys(("10", "20", "26 key"), _KEY),
        "28": InconclusiveRow(_NO_FACE, Charged.NO, _NO_CHARGE),
        "31": InconclusiveRow(_TWO_FACES, Charged.NO, _NO_CHARGE),
    }
    capabilities = Capabilities(
        # Ours: no document says what becomes of a similarity equal to the threshold.
        threshold_rule=ThresholdRule.AT_LEAST,
        default_threshold=50.0,
        score_scale="compreface/similarity",
        reports_faces=True,
        image_limits=ImageLimits(
            formats={ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.WEBP, ImageFormat.BMP},
            max_bytes=5 * 1024 * 1024,
            max_bytes_from="CompreFace's MAX_FILE_SIZE, 5 MB unless the server was set otherwise",
        ),
    )

    base_url: str = "http://127.0.0.1:8000"
    model: str | None = None
    det_prob_threshold: float | None = None
    plugins: str = ""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        least = self.det_prob_threshold
        if least is not None and not 0 <= least <= 1:
            raise ConfigurationError("det_prob_threshold must be a number from 0 to 1.")
        if self.plugins and not set(_PLUGINS).issuperset(self.plugins.split(",")):
            raise ConfigurationError(f"plugins must be some of {','.join(_PLUGINS)}.")
        if self.model is not None:
            # Each model has a scale of its own, so each backend has its own declaration.
            vars(self)["capabilities"] = attrs.evolve(
                type(self).capabilities, score_scale=f"compreface/{self.model}"
            )

    def build(self, call: MatchCall) -> HttpRequest:
        """The request for `call`; ``status`` makes the answer name the model."""
        query = {"status": "true"}
        if self.det_prob_threshold is not None:
            query["det_prob_threshold"] = str(self.det_prob_threshold)
        if self.plugins:
            query["face_plugins"] = self.plugins
        return HttpRequest(
            url=f"{self.address}/api/v1/verification/verify",
            params=query,
            headers={"x-api-key": self.api_key},
            files=[picture("source_image", call.probe), picture("target_image", call.reference)],
        )

    def parse(self, call: MatchCall, reply: HttpReply) -> MatchResult:
        """The result in an answer 200; any exception means that it cannot be read."""
        body = reply.json()
        (result,) = body["result"]
        model = (result.get("plugins_versions") or {}).get("calculator")
        if self.model not in (None, model):
            raise ValueError("an answer of another model than the one that is set")
        matches = result["face_matches"]
        scale = self.capabilities.score_scale or self.name
        scores = [
            None if value is None else Score.from_fraction(value, scale, raw_name="similarity")
            for value in (match["similarity"] for match in matches)
        ]
        # The server lists the faces of the reference by size, not by likeness.
        score = max(filter(None, scores), default=None)
        warnings: tuple[ResultWarning, ...] = (_SEVERAL,) if len(scores) > 1 else ()
        return MatchResult(
            decision=decide_by_threshold(score, call.threshold),
            score=score,
            warnings=warnings if score else (*warnings, SCORE_UNAVAILABLE),
            probe_faces=(_read_face(result["source_image_face"], compared=True),),
            reference_faces=tuple(
                _read_face(
                    face, similarity=likeness, compared=score is not None and likeness is score
                )
                for face, likeness in zip(matches, scores, strict=True)
            ),
            backend=self.name,
            model=model,
            raw=body,
        )

    def error_code(self, reply: HttpReply) -> object:
        """The code that CompreFace gives beside its message; ``26 key`` if that is about the key.

        26 is any constraint that a request violates, and by its source this is the one message.
        """
        code = reply.at("code")
        is_key = code == 26 and reply.at("message") == "Service API key should be UUID"
        return "26 key" if is_key else code


def _read_face(body: Any, **comparison: Any) -> Face:
    """A face with what the plug-ins add; what they do not is None."""
    left, top, right, bottom = (number(body["box"][side]) for side in _SIDES)
    fields = {
        name: read(body[name]) for name, read in _READERS.items() if body.get(name) is not None
    }
    guesses = {name: fields.pop(name) for name in ("age", "gender") if name in fields}
    return Face(
        box=Box(left=left, top=top, right=right, bottom=bottom),
        confidence=_read_probability(body["box"]),
        landmarks=fields.get("landmarks"),
        pose=fields.get("pose"),
        quality=fields.get("mask"),
        demographics=Demographics(**guesses) if guesses else None,
        **comparison,
    )


#: How what each plug-in adds is read.
_READERS: dict[str, Callable[[Any], Any]] = {
    "age": lambda span: (number(span["low"]) + number(span["high"])) / 2,
    "gender": lambda guess: _read_text(guess["value"]),
    "landmarks": lambda points: dict(zip(_LANDMARKS, map(_read_point, points), strict=True)),
    "mask": lambda guess: {_read_text(guess["value"]): _read_probability(guess)},
    "pose": lambda pose: {angle: number(pose[angle]) for angle in ("pitch", "roll", "yaw")},
}


def _read_point(point: Any) -> tuple[float, float]:
    x, y = map(number, point)
    return x, y


def _read_probability(body: Any) -> float:
    value = number(body["probability"])
    if not 0 <= value <= 1:
        raise ValueError("a probability that is none")
    return value


def _read_text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__}, not a text")
    return value
