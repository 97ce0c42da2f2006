"""How the backend of each paid vendor is opened at its mock."""

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
)
#: Servers of one's own without a key.
KEYLESS = ("regula",)
AWS_KEYS = {"access_key_id": "mock-access-key", "secret_access_key": "mock-live-key"}


def settings_at(mock, name):
    if name in KEYLESS:
        return {"base_url": mock.url}
    key = mock.of(name).live_key
    keys = {
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
