import json

import attrs
import pytest
from kit.fakes import FakeBackend, liveness_result, match_result

from facematch_core import ConfigurationError, Decision, LivenessDecision, errors
from facematch_core.backend import ImageFormat, ImageLimits
from facematch_core.cli import doctor
from facematch_core.config import opening as config
from facematch_core.config import plugins

CONFIG = """
    [profiles.shop]
    backend = "one"
    threshold = 40
    [profiles.shop.budget]
    cap = 50
    per = "day"
    name = "vendor didit"
    store = "memory"
    [profiles.shop.circuit_breaker]
    [profiles.shop.rate_limit]
    per_minute = 300

    [profiles.spare]
    backend = "two"
    threshold = 70

    [profiles.ha]
    members = ["shop", "spare"]
"""


@pytest.fixture
def members(monkeypatch, configured):
    configured(CONFIG)
    backends = {name: FakeBackend() for name in ("one", "two")}
    for name, backend in backends.items():
        backend.name = name

    def backend_class(name):
        return type(name, (FakeBackend,), {"name": name, "__new__": lambda _cls: backends[name]})

    monkeypatch.setattr(config, "backend_class", backend_class)
    monkeypatch.setattr(plugins, "backend_class", backend_class)
    # The backends of this machine are not compared.
    monkeypatch.setattr(doctor, "inspect_backends", lambda named: [])
    return backends["one"], backends["two"]


VERIFY = "verify selfie.jpg id.jpg --profile ha"


def test_output_matches_golden_file(screens, members, photos, configured, monkeypatch):
    shop, spare = members
    with screens("verify-failover") as show:
        shop.script = [match_result(Decision.NO_MATCH), errors.VendorUnavailable("down")]
        show("a decision is final", VERIFY, code=1)
        assert spare.calls == []
        show("the second member answers", VERIFY)
        shop.script = [errors.RateLimited("x")]
        show("of liveness, too", "liveness selfie.jpg --profile ha")
        show("one threshold for all", f"{VERIFY} --threshold 50", code=2)
        calls = len(shop.calls)
        limits = ImageLimits(formats={ImageFormat.HEIC})
        spent = CONFIG.replace("cap = 50", "cap = 0")
        configured(spent.replace('"memory"', '"sqlite:///spent.sqlite3"'))
        show("a budget that is spent", VERIFY, code=5)
        configured(CONFIG)
        for backend in members:
            backend.capabilities = attrs.evolve(backend.capabilities, image_limits=limits)
        show("a picture that nobody takes", VERIFY, code=2)
        assert len(shop.calls) == calls
    configured(CONFIG)
    with screens("doctor-failover") as show:
        show("members and what is before their calls", "doctor --profile ha")
        backend_class = config.backend_class

        class Broken(FakeBackend):
            name = "two"

            def __init__(self):
                raise ConfigurationError("it lacks a model")

        def broken(name):
            return Broken if name == "two" else backend_class(name)

        for module in (config, plugins):
            monkeypatch.setattr(module, "backend_class", broken)
        show("a member that cannot be used", "doctor --profile ha", code=4)


def test_json_output_names_the_members(members, photos, run, run_json, *, tmp_path):
    members[0].script = [errors.VendorUnavailable("down"), liveness_result(LivenessDecision.REVIEW)]
    code, document = run_json(VERIFY)
    assert (code, document["route"]["answered_by"]) == (0, "spare")
    assert document["route"]["skipped"] == [
        {"backend": "shop", "reason": "VendorUnavailable", "message": "down"}
    ]
    code, document = run_json(f"{VERIFY} --live")
    assert (code, document["liveness"]["route"]["answered_by"]) == (3, "shop")
    for backend in members:
        backend.script = [errors.InsufficientCredit("said so")]
    _, document = run_json(VERIFY)
    assert [each["backend"] for each in document["error"]["route"]["skipped"]] == ["shop", "spare"]
    (tmp_path / "pairs.csv").write_text(f"probe,reference\n{','.join(photos)}\n")
    members[0].script = [errors.InsufficientCredit("empty")]
    assert run("verify --pairs pairs.csv --out out.jsonl --profile ha --yes").stdout
    (line,) = (tmp_path / "out.jsonl").read_text().splitlines()
    assert json.loads(line)["result"]["route"]["answered_by"] == "spare"
