"""Values of Rekognition's answers that a test can set: those of botocore's model (Apache-2.0)."""

from __future__ import annotations

from facematch_mock_server.world.set_values import TRUE_OR_FALSE, DocumentedValues

_FACE: dict[str, tuple[str | bool, ...]] = {
    "Beard.Value": TRUE_OR_FALSE,
    "Emotions[].Type": (
        "HAPPY",
        "SAD",
        "ANGRY",
        "CONFUSED",
        "DISGUSTED",
        "SURPRISED",
        "CALM",
        "UNKNOWN",
        "FEAR",
    ),
    "Eyeglasses.Value": TRUE_OR_FALSE,
    "EyesOpen.Value": TRUE_OR_FALSE,
    "FaceOccluded.Value": TRUE_OR_FALSE,
    "Gender.Value": ("Male", "Female"),
    "MouthOpen.Value": TRUE_OR_FALSE,
    "Mustache.Value": TRUE_OR_FALSE,
    "Smile.Value": TRUE_OR_FALSE,
    "Sunglasses.Value": TRUE_OR_FALSE,
}


def _fields_of(face: str) -> dict[str, tuple[str | bool, ...]]:
    """Return the fields of a face in an answer, by their place."""
    return {f"{face}.{field}": values for field, values in _FACE.items()}


VALUES: DocumentedValues = {
    "DetectFaces": _fields_of("FaceDetails[]"),
    "IndexFaces": {
        **_fields_of("FaceRecords[].FaceDetail"),
        **_fields_of("UnindexedFaces[].FaceDetail"),
        "UnindexedFaces[].Reasons[]": (
            "EXCEEDS_MAX_FACES",
            "EXTREME_POSE",
            "LOW_BRIGHTNESS",
            "LOW_SHARPNESS",
            "LOW_CONFIDENCE",
            "SMALL_BOUNDING_BOX",
            "LOW_FACE_QUALITY",
        ),
    },
    "GetFaceLivenessSessionResults": {
        "Challenge.Type": ("FaceMovementAndLightChallenge", "FaceMovementChallenge"),
    },
}
