"""Values of Azure's answers that a test can set: those of azure-ai-vision-face 1.0.0b2 (MIT)."""

from __future__ import annotations

from facematch_mock_server.world.set_values import TRUE_OR_FALSE, DocumentedValues

_QUALITIES = ("low", "medium", "high")
_IMAGE_TYPES = ("Color", "Infrared", "Depth")
_RESULT = "result.response.body"

VALUES: DocumentedValues = {
    "/face/*/detect": {
        "[].faceAttributes.qualityForRecognition": _QUALITIES,
        "[].faceAttributes.blur.blurLevel": ("low", "medium", "high"),
        "[].faceAttributes.noise.noiseLevel": ("low", "medium", "high"),
        "[].faceAttributes.exposure.exposureLevel": (
            "underExposure",
            "goodExposure",
            "overExposure",
        ),
        "[].faceAttributes.glasses": (
            "noGlasses",
            "readingGlasses",
            "sunglasses",
            "swimmingGoggles",
        ),
        "[].faceAttributes.mask.noseAndMouthCovered": TRUE_OR_FALSE,
        "[].faceAttributes.mask.type": (
            "faceMask",
            "noMask",
            "otherMaskOrOcclusion",
            "uncertain",
        ),
        "[].faceAttributes.occlusion.eyeOccluded": TRUE_OR_FALSE,
        "[].faceAttributes.occlusion.foreheadOccluded": TRUE_OR_FALSE,
        "[].faceAttributes.occlusion.mouthOccluded": TRUE_OR_FALSE,
    },
    # The previews' sessions.
    "/face/*/detectLiveness/singleModal/sessions/*": {
        f"{_RESULT}.target.imageType": _IMAGE_TYPES,
    },
    "/face/*/detectLivenessWithVerify/singleModal/sessions": {
        "verifyImage.qualityForRecognition": _QUALITIES,
    },
    "/face/*/detectLivenessWithVerify/singleModal/sessions/*": {
        f"{_RESULT}.target.imageType": _IMAGE_TYPES,
        f"{_RESULT}.verifyResult.verifyImage.qualityForRecognition": _QUALITIES,
    },
}
