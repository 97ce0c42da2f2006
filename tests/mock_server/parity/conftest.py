"""A mock in the vendor's place, changed as a test says, and a profile that asks it."""

import json
from types import SimpleNamespace

import pytest
import tomli_w
from kit.commands import _here, run, terminal  # noqa: F401 - fixtures
from kit.parity import CARDS, PICTURES, WORKFLOW

from facematch_mock_server import MockServer
from facematch_mock_server.parity.calls import VENDORS, VendorCalls
from facematch_mock_server.recognition.cards import card_sheet

#: Settings that a vendor needs besides its keys.
SETTINGS = {
    "rekognition": {"region": "eu-west-1"},
    "tencent": {"region": "ap-singapore"},
    "deepface": {"model_name": "SFace"},
    "onfido": {"workflow_id": WORKFLOW, "face_output": "selfie", "document_output": "doc"},
    "persona": {"template_id": "itmpl_OfTheShop"},
    "sumsub": {"level_name": "basic-kyc-level"},
    "veriff": {"solution": "document_selfie", "environment": "mock"},
}
#: The keys of a vendor without an entry in `VENDORS`.
KEYS = {"onfido": {"api_token": "live_key"}}


@pytest.fixture
def rehearse(tmp_path, run, at_end):  # noqa: F811
    """`with rehearse("didit") as vendor: vendor.run()`; its mock and what may be changed of it."""
    for name, card in CARDS.items():
        (tmp_path / name).write_bytes(card_sheet()[card].data)

    def start(name):
        # A server of DeepFace has no token unless its owner sets one.
        switches = {"auth": "token"} if name == "deepface" else {}
        server = at_end.enter_context(MockServer(vendor=name, switches=switches))
        served = server.of(name)
        settings = {"base_url": server.url, **SETTINGS.get(name, {})}
        if name == "didit":
            settings["workflow_id"] = WORKFLOW
            served.control.sessions.workflow(WORKFLOW, kind="kyc")
        calls = VENDORS.get(name, VendorCalls())
        usual_keys = {"api_key": "live_key"} if calls.has_key else {}
        for setting, place in KEYS.get(name, calls.keys or usual_keys).items():
            (tmp_path / f"{setting}.txt").write_text(getattr(served, place))
            (tmp_path / f"{setting}.txt").chmod(0o600)
            settings[setting] = {"file": f"{setting}.txt"}
        profiles = {"shop": {"backend": name, "settings": settings}}
        (tmp_path / "facematch.toml").write_text(tomli_w.dumps({"profiles": profiles}))

        def command(*words, code=None, **options):
            for switch, value in switches.items():
                words = (*words, "--switch", f"{switch}={value}")
            words = ("parity", "shop", "--config", "facematch.toml", *PICTURES, *words)
            answer = run(*words, **options)
            assert code in (None, answer.exit_code), answer.output
            record = tmp_path / f"parity-{name}.json"
            document = json.loads(record.read_text()) if record.exists() else None
            return SimpleNamespace(answer=answer, document=document, record=record)

        return SimpleNamespace(
            server=server,
            control=served.control,
            claims=server.world.claims,
            run=command,
            record=tmp_path / f"parity-{name}.json",
        )

    return start
