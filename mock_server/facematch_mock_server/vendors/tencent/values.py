"""Values of Tencent's answers that a test can set: the truth values of its client (Apache-2.0)."""

from __future__ import annotations

from facematch_mock_server.world.set_values import DocumentedValues

_TRUE_OR_FALSE = (True, False)
_ATTRIBUTES = "Response.FaceInfos[].FaceAttributesInfo"

VALUES: DocumentedValues = {
    "DetectFace": {
        f"{_ATTRIBUTES}.EyeOpen": _TRUE_OR_FALSE,
        f"{_ATTRIBUTES}.Glass": _TRUE_OR_FALSE,
        f"{_ATTRIBUTES}.Hat": _TRUE_OR_FALSE,
        f"{_ATTRIBUTES}.Mask": _TRUE_OR_FALSE,
    },
}
