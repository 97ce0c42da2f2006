"""Values of Rekognition's answers that a test can set: those of botocore's model (Apache-2.0)."""

from __future__ import annotations

from facematch_mock_server.world.set_values import DocumentedValues

_EMOTIONS = (
    "HAPPY",
    "SAD",
    "ANGRY",
    "CONFUSED",
    "DISGUSTED",
    "SURPRISED",
    "CALM",
    "UNKNOWN",
    "FEAR",
)

VALUES: DocumentedValues = {
    "DetectFaces": {
        "FaceDetails[].Emotions[].Type": _EMOTIONS,
        "FaceDetails[].Gender.Value": ("Male", "Female"),
    },
    "GetFaceLivenessSessionResults": {
        "Challenge.Type": ("FaceMovementAndLightChallenge", "FaceMovementChallenge"),
    },
}
