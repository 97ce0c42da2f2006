"""All six backends beside one another: one failover, one comparison, and what each was charged."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import facematch_core as fm
from facematch_azure import AzureBackend
from facematch_compreface import ComprefaceBackend
from facematch_core.cli.app import facematch
from facematch_deepvue import DeepvueBackend
from facematch_didit import DiditBackend
from facematch_local import LocalBackend
from facematch_mock_server import Fault, Kind, MockServer, Stage, make_card
from facematch_rekognition import RekognitionBackend

PHOTOGRAPHS = Path(__file__).parents[2] / "docs" / "photographs"
SELFIE, DOCUMENT = (
    fm.Image.read(PHOTOGRAPHS / f"{name}.jpg") for name in ("grace-hopper", "grace-hopper-card")
)
P1, P1_AGAIN, P2 = make_card("p1"), make_card("p1", quality=60), make_card("p2")
PAID = ("didit", "deepvue", "rekognition", "azure", "compreface")
#: Charges of one comparison, by the vendor's ledger.
CHARGES = {"didit": 1, "deepvue": 1, "rekognition": 1, "azure": 3, "compreface": 0}


@pytest.fixture
def mock():
    """The five vendors in one server."""
    with MockServer(vendor=list(PAID)) as server:
        yield server


def settings(mock):
    """The settings of each backend, as text: as in a configuration file."""
    keys = {name: mock.of(name).live_key for name in PAID}
    return {
        "didit": {"api_key": keys["didit"]},
        "deepvue": {
            "client_id": mock.of("deepvue").client_id,
            "client_secret": keys["deepvue"],
            "confidence_scale": "percent",
        },
        "rekognition": {
            "region": "eu-west-1",
            "access_key_id": mock.of("rekognition").client_id,
            "secret_access_key": keys["rekognition"],
        },
        "azure": {"api_key": keys["azure"]},
        "compreface": {"api_key": keys["compreface"]},
    }


KINDS = {
    "didit": DiditBackend,
    "deepvue": DeepvueBackend,
    "rekognition": RekognitionBackend,
    "azure": AzureBackend,
    "compreface": ComprefaceBackend,
}


@pytest.fixture
def backends(mock):
    """One of each, by name."""
    opened = {
        name: KINDS[name](**given, base_url=mock.url) for name, given in settings(mock).items()
    }
    return {**opened, "local": LocalBackend()}


def charges(mock):
    return {name: len(mock.of(name).control.charges()) for name in PAID}


@pytest.mark.parametrize("name", PAID)
def test_each_alone(mock, backends, name):
    """Match and mismatch, told and charged as the vendor's ledger has it."""
    with fm.FaceVerifier(backends[name]) as verifier:
        answers = [verifier.verify(P1, P1_AGAIN), verifier.verify(P1, P2)]
    assert [answer.decision for answer in answers] == [fm.Decision.MATCH, fm.Decision.NO_MATCH]
    assert all(answer.environment is fm.Environment.MOCK for answer in answers)
    assert [answer.billing.charges for answer in answers] == [CHARGES[name]] * 2
    assert charges(mock)[name] == 2 * CHARGES[name]


def throttle(mock, name):
    mock.of(name).control.add_fault(
        Fault(path="/", stage=Stage.ANSWER, kind=Kind.STATUS, status=429)
    )


def test_one_after_the_other(mock, backends):
    """Five are throttled, the sixth is on this machine; nobody charges."""
    for name in PAID:
        throttle(mock, name)
    with fm.Failover([fm.FaceVerifier(backend) for backend in backends.values()]) as failover:
        result = failover.verify(SELFIE, DOCUMENT)
    assert (result.route.answered_by, result.is_match) == ("local", True)
    assert [one.backend for one in result.route.skipped] == list(PAID)
    skipped = {one.reason for one in result.route.skipped}
    # CompreFace knows no throttling: there a 429 is whoever stands before it.
    assert skipped == {"RateLimited"}
    assert set(charges(mock).values()) == {0}


@pytest.mark.parametrize("name", PAID)
def test_a_wrong_key_is_no_outage(mock, backends, name):
    """It ends the call; nobody else is asked and paid for somebody's mistake."""
    mock.of(name).control.revoke_key(mock.of(name).live_key)
    rest = [backend for other, backend in backends.items() if other not in (name, "local")]
    with (
        fm.Failover([fm.FaceVerifier(one) for one in (backends[name], *rest)]) as failover,
        pytest.raises(fm.AuthenticationFailed) as caught,
    ):
        failover.verify(P1, P1_AGAIN)
    assert caught.value.backend == name
    assert caught.value.billing.charged is fm.Charged.NO
    assert set(charges(mock).values()) == {0}


def test_a_second_step_that_fails_is_nobody_elses(mock, backends):
    """Azure's first request is paid: the call ends there, and is not paid a second time."""
    mock.of("azure").control.add_fault(
        Fault(path="/face/v1.2/verify", stage=Stage.ANSWER, kind=Kind.STATUS, status=429)
    )
    members = [fm.FaceVerifier(backends[name]) for name in ("azure", "didit")]
    with fm.Failover(members) as failover, pytest.raises(Exception, match="429") as caught:
        failover.verify(P1, P1_AGAIN)
    assert caught.value.billing.charged is fm.Charged.YES
    assert caught.value.billing.charges == 2
    assert not caught.value.retryable
    assert charges(mock)["didit"] == 0


def test_one_comparison_over_all(mock, tmp_path, monkeypatch):
    """`facematch compare run` with six systems: every pair asked once, and judged."""
    monkeypatch.chdir(tmp_path)
    lines = ["probe,reference,same,probe_subject,reference_subject"]
    for who in (1, 2, 3):
        for take in (90, 60):
            Path(f"p{who}-{take}.jpg").write_bytes(make_card(f"p{who}", quality=take))
        other = who % 3 + 1
        lines.append(f"p{who}-90.jpg,p{who}-60.jpg,yes,p{who},p{who}")
        lines.append(f"p{who}-90.jpg,p{other}-60.jpg,no,p{who},p{other}")
    Path("pairs.csv").write_text("\n".join(lines) + "\n")
    words = [
        "compare",
        "run",
        "pairs.csv",
        "--config",
        "facematch.toml",
        "--backend",
        "local",
        "--yes",
        "--json",
    ]
    config = []
    for name, given in settings(mock).items():
        environment = {}
        config += [f"[profiles.{name}]", f'backend = "{name}"', f"[profiles.{name}.settings]"]
        config.append(f'base_url = "{mock.url}"')
        for key, value in given.items():
            if key in ("region", "confidence_scale"):
                config.append(f'{key} = "{value}"')
                continue
            environment[key] = f"FM_{name}_{key}".upper()
            monkeypatch.setenv(environment[key], value)
            config.append(f'{key} = {{ env = "{environment[key]}" }}')
        words += ["--profile", name]
    Path("facematch.toml").write_text("\n".join(config) + "\n")
    ran = CliRunner().invoke(facematch, words)
    assert ran.exit_code == 0, ran.output
    assert {name: count for name, count in charges(mock).items() if count} == {
        name: 6 * count for name, count in CHARGES.items() if count
    }
    told = json.loads(ran.stdout)
    systems = told.get("contenders") or told["systems"]
    assert len(systems) == 6
