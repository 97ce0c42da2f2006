"""Microsoft's published answers about liveness sessions.

Copied from github.com/Azure/azure-rest-api-specs (MIT License, Copyright Microsoft Corporation):
specification/ai/data-plane/Face/examples/v1.2, CreateLivenessSession and
GetLivenessWithVerifySessionResult, and stable/v1.2/examples, GetLivenessSessionResult and
CreateLivenessWithVerifySessionWithVerifyImage. Read 2026-11-23.
"""

import copy

SESSION_ID = "b12e033e-bda7-4b83-a211-e721c661f30e"
TOKEN = "eyJhbGciOiJFUzI1NiIsIm"
IMAGE_ID = "Ae3PVWlXAmVAnXgkAFt1QSjGUWONKzWiSr2iPh9p9G4I"
_HEAD = {
    "sessionId": SESSION_ID,
    "authToken": TOKEN,
    "status": "NotStarted",
    "modelVersion": "2024-11-15",
}
_TARGETS = {"color": {"faceRectangle": {"top": 669, "left": 203, "width": 646, "height": 724}}}
_REFERENCE = {
    "referenceType": "image",
    "faceRectangle": {"top": 316, "left": 131, "width": 498, "height": 677},
    "qualityForRecognition": "high",
}
_FAILED = {
    "attemptId": 1,
    "attemptStatus": "Failed",
    "error": {
        "code": "FaceWithMaskDetected",
        "message": "Mask detected on face image.",
        "targets": _TARGETS,
    },
}
_RESULT = {
    "livenessDecision": "realFace",
    "targets": _TARGETS,
    "digest": "B0A803BB7B26F3C8F29CD36030F8E63ED3FAF955FEEF8E01C88AB8FD89CCF761",
    "sessionImageId": IMAGE_ID,
}
_COMPARED = {
    **_RESULT,
    "livenessDecision": "realface",
    "verifyResult": {"matchConfidence": 0.08871888, "isIdentical": False},
    "verifyImageHash": "43B7D8E8769533C3290DBD37A84D821B2C28CB4381DF9C6784DBC4AAF7E45018",
}


def _answer(*attempts, **results):
    return copy.deepcopy({**_HEAD, "results": {"attempts": [*attempts], **results}})


def succeeded(number, result):
    return {"attemptId": number, "attemptStatus": "Succeeded", "result": result}


START = _answer()
START_WITH_VERIFY = _answer(verifyReferences=[_REFERENCE])
READING = _answer(succeeded(2, _RESULT), _FAILED)
READING_WITH_VERIFY = _answer(succeeded(2, _COMPARED), _FAILED, verifyReferences=[_REFERENCE])


def with_attempts(*attempts, status="NotStarted"):
    answer = copy.deepcopy(READING_WITH_VERIFY)
    answer["status"] = status
    answer["results"]["attempts"] = [*attempts]
    return answer


def attempt(number, word="realface", confidence=0.9, identical=True, **more):
    compared = {"matchConfidence": confidence, "isIdentical": identical}
    return succeeded(
        number, {**_COMPARED, "livenessDecision": word, "verifyResult": compared, **more}
    )


def failed(number, status="Failed"):
    return {**_FAILED, "attemptId": number, "attemptStatus": status}
