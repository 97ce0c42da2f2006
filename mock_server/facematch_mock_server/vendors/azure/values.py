"""Values of Azure's answers that a test can set: those of azure-ai-vision-face 1.0.0b2 (MIT)."""

from __future__ import annotations

from facematch_mock_server.world.set_values import DocumentedValues

VALUES: DocumentedValues = {
    "/face/*/detect": {
        "[].faceAttributes.qualityForRecognition": ("low", "medium", "high"),
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
        "[].faceAttributes.mask.type": (
            "faceMask",
            "noMask",
            "otherMaskOrOcclusion",
            "uncertain",
        ),
    },
}
