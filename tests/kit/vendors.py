"""How the backend of each vendor is opened: for the vendor itself, and at its mock."""

import tomllib
from pathlib import Path

from facematch_core.config.plugins import backend_class

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
#: Every backend that calls a vendor. The other lists of vendors are compared with it.
BUNDLED_VENDORS = sorted(set(PROJECT["entry-points"]["facematch.backends"]) - {"local"})
#: Those that compare two pictures.
PAID = (
    "didit",
    "deepvue",
    "rekognition",
    "azure",
    "compreface",
    "facepp",
    "baidu",
    "tencent",
    "regula",
    "deepface",
    "alibaba",
)
#: Servers of one's own without a key.
KEYLESS = ("regula",)
AWS_KEYS = {"access_key_id": "mock-access-key", "secret_access_key": "mock-live-key"}
#: The settings that each backend needs.
NEEDED = {
    "alibaba": {"access_key_id": "some-id", "access_key_secret": "some-secret"},
    "azure": {"api_key": "some-key", "base_url": "https://contoso.cognitiveservices.azure.com"},
    "baidu": {"api_key": "bce-v3/some-key", "secret_key": "some-secret"},
    "compreface": {"api_key": "some-key"},
    "deepface": {"model_name": "SFace"},
    "deepvue": {"client_id": "some-client", "client_secret": "some-secret"},
    "didit": {"api_key": "some-key"},
    "facepp": {"api_key": "some-key", "api_secret": "some-secret"},
    "onfido": {
        "api_token": "some-token",
        "workflow_id": "5025d9fd-7842-4805-bce1-a7bfd7131b4e",
        "face_output": "selfie",
    },
    "persona": {"api_key": "some-key", "template_id": "itmpl_Some"},
    "regula": {},
    "rekognition": {"region": "eu-west-1", **AWS_KEYS},
    "stripe": {"api_key": "some-key"},
    "sumsub": {"app_token": "prd:some-token", "secret_key": "some-key"},
    "tencent": {"secret_id": "some-id", "secret_key": "some-key", "region": "ap-singapore"},
    "veriff": {
        "api_key": "some-key",
        "shared_secret": "some-secret",
        "base_url": "https://stationapi.veriff.com",
        "solution": "document_selfie",
    },
}


def open_backend(name, **changes):
    return backend_class(name)(**{**NEEDED[name], **changes})


def settings_at(mock, name):
    if name in KEYLESS:
        return {"base_url": mock.url}
    key = mock.of(name).live_key
    keys = {
        "alibaba": {"access_key_id": mock.of(name).client_id, "access_key_secret": key},
        "deepface": {"token": key, "model_name": "SFace"},
        "deepvue": {"client_id": mock.of(name).client_id, "client_secret": key},
        "facepp": {"api_key": mock.of(name).client_id, "api_secret": key},
        "rekognition": {"region": "eu-west-1", **AWS_KEYS},
        "tencent": {
            "secret_id": mock.of(name).client_id,
            "secret_key": key,
            "region": "ap-singapore",
        },
    }
    return {"base_url": mock.url, **keys.get(name, {"api_key": key})}
