"""Values of Tencent's answers that a test can set, and its messages, of its client (Apache-2.0)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
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

#: The messages in Chinese, by code.
CHINESE: Final[Mapping[str, str]] = tomllib.loads(
    (files(__package__) / "messages.toml").read_text("utf-8")
)
