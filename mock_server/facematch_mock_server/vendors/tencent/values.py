"""Values of Tencent's answers that a test can set: the truth values of its client (Apache-2.0)."""

from __future__ import annotations

from facematch_mock_server.world.set_values import TRUE_OR_FALSE, DocumentedValues

_ATTRIBUTES = "Response.FaceInfos[].FaceAttributesInfo"

VALUES: DocumentedValues = {
    "DetectFace": {
        f"{_ATTRIBUTES}.EyeOpen": TRUE_OR_FALSE,
        f"{_ATTRIBUTES}.Glass": TRUE_OR_FALSE,
        f"{_ATTRIBUTES}.Hat": TRUE_OR_FALSE,
        f"{_ATTRIBUTES}.Mask": TRUE_OR_FALSE,
    },
}
