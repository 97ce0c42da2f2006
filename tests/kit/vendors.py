"""How the backend of each vendor is opened: for the vendor itself, and at its mock."""

import tomllib
from pathlib import Path

from kit.of_vendors import of_vendors

from facematch_core import Operation
from facematch_core.config.plugins import backend_class
from facematch_mock_server.vendors import vendor_named

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
#: Every backend that calls a vendor. The other lists of vendors are compared with it.
BUNDLED_VENDORS = sorted(set(PROJECT["entry-points"]["facematch.backends"]) - {"local"})


#: Those that compare two pictures.
def _compares(name):
    return Operation.MATCH in backend_class(name).capabilities.operations


PAID = tuple(filter(_compares, BUNDLED_VENDORS))
#: The vendors with webhooks about sessions.
WITH_WEBHOOKS = [name for name in BUNDLED_VENDORS if vendor_named(name).outbox]
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
    **of_vendors("NEEDED"),
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
        "rekognition": {"region": "eu-west-1", **AWS_KEYS},
        "tencent": {
            "secret_id": mock.of(name).client_id,
            "secret_key": key,
            "region": "ap-singapore",
        },
    }
    for vendor, (client, secret) in of_vendors("KEYS_AT_MOCK").items():
        keys[vendor] = {client: mock.of(name).client_id, secret: key}
    return {"base_url": mock.url, **keys.get(name, {"api_key": key})}
