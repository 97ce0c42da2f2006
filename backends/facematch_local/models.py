"""Read the two model files in the folder `weights`, and verify their SHA-256."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import MappingProxyType

from facematch_core.errors import ConfigurationError

WEIGHTS = Path(__file__).parent / "weights"

#: YuNet: face boxes with five landmarks (MIT).
DETECTION = "face_detection_yunet_2023mar_int8bq.onnx"

#: SFace: face embeddings of 128 numbers (Apache-2.0).
RECOGNITION = "face_recognition_sface_2021dec_int8bq.onnx"

#: SHA-256 of each file, as published in OpenCV's model zoo (github.com/opencv/opencv_zoo, Git LFS
#: object ids, read 2026-11-26). The documented error rates were measured with these files.
DIGESTS = MappingProxyType(
    {
        DETECTION: "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
        RECOGNITION: "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
    }
)


def read_model(name: str) -> bytes:
    """Return the bytes of a model file.

    OpenCV is given bytes, not a path, because it cannot open every path on Windows.

    Raises:
        ConfigurationError: the file cannot be read or has a different digest.
    """
    try:
        data = (WEIGHTS / name).read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"The model file {name} cannot be read ({error.strerror}): reinstall facematch."
        ) from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != DIGESTS[name]:
        raise ConfigurationError(
            f"The model file {name} is damaged: its SHA-256 is {digest}, expected "
            f"{DIGESTS[name]}. Reinstall facematch."
        )
    return data
