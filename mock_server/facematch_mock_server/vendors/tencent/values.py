"""Values of Tencent's answers that a test can set, and its messages, of its client (Apache-2.0)."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Final

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

#: The messages in Chinese, by code: the sentences of tencentcloud-sdk-python-iai 3.1.191,
#: errorcodes.py. Examples of tccli, and answers in five public programs, have three of them word
#: for word (read 2026-11-30).
CHINESE: Final = json.loads((files(__package__) / "messages.json").read_text("utf-8"))
