"""`--profile ha` on the command line: who answers, who does not, and what `doctor` says."""

import json

import pytest
from kit.fakes import FakeBackend, liveness_result, match_result

from facematch_core import (
    ConfigurationError,
    Decision,
    ImageFormat,
    LivenessDecision,
    Operation,
    config,
    errors,
    plugins,
)
from facematch_core.backend import ImageLimits

CONFIG = """
    [profiles.shop]
    backend = "one"
    threshold = 40
    [profiles.shop.budget]
    calls = 50
    per = "day"
    of = "vendor"
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
    """The backends of the two members, and a configuration that names them."""
    configured(CONFIG)
    made = {name: FakeBackend() for name in ("one", "two")}
    for name, backend in made.items():
        backend.name = name

    def found(name):
        return type(name, (FakeBackend,), {"name": name, "__new__": lambda _cls: made[name]})

    monkeypatch.setattr(config, "backend_class", found)
    monkeypatch.setattr(plugins, "backend_class", found)
    return made["one"], made["two"]


def test_who_answered_and_why_not_the_first(members, photos, run, run_json):
    """In one line for people, and in the JSON; the exit code is that of the decision."""
    members[0].script = [errors.VendorUnavailable("down"), errors.VendorUnavailable("down")]
    answer = run("verify", *photos, "--profile", "ha")
    assert answer.exit_code == 0
    assert "answered by spare, not by shop (VendorUnavailable)" in answer.stdout
    assert "threshold at least 70, from the profile" in answer.stdout
    code, document = run_json("verify", *photos, "--profile", "ha")
    assert (code, document["route"]["answered_by"]) == (0, "spare")
    assert document["route"]["skipped"] == [
        {"backend": "shop", "reason": "VendorUnavailable", "message": "down"}
    ]


@pytest.mark.parametrize(
    ("decision", "code"), [(Decision.NO_MATCH, 1), (Decision.REVIEW, 3), (Decision.INCONCLUSIVE, 3)]
)
def test_a_decision_is_final(members, photos, run, decision, code):
    """And has its exit code; the second member is not asked."""
    members[0].script = [match_result(decision)]
    assert run("verify", *photos, "--profile", "ha").exit_code == code
    assert members[1].calls == []


@pytest.mark.parametrize(
    "error",
    [
        errors.RateLimited,
        errors.InsufficientCredit,
        errors.AuthenticationFailed,
        errors.OutcomeUnknown,
        errors.UnexpectedResponse,
    ],
)
def test_exit_codes_of_errors(members, photos, run, run_json, error):
    """Those of the error that is raised; what each member said stands beside it."""
    code = 6 if error is errors.OutcomeUnknown else 5
    ends = not issubclass(error, (errors.RateLimited, errors.InsufficientCredit))
    tried = ["shop"] if ends else ["shop", "spare"]
    for backend in members:
        backend.script = [error("said so")] * 2
    answer = run("verify", *photos, "--profile", "ha")
    assert answer.exit_code == code
    told = ", ".join(f"{name} ({error.__name__})" for name in tried)
    assert f"Members of the failover that were tried: {told}." in answer.stderr
    exit_code, document = run_json("verify", *photos, "--profile", "ha")
    assert exit_code == document["error"]["exit_code"] == code
    assert [one["backend"] for one in document["error"]["route"]["skipped"]] == tried


def test_liveness_and_both(members, photos, run, run_json):
    """`liveness` and `verify --live` go on as well."""
    members[0].script = [errors.RateLimited("x"), liveness_result(LivenessDecision.REVIEW)]
    first = run("liveness", photos[0], "--profile", "ha")
    assert "answered by spare, not by shop (RateLimited)" in first.stdout
    code, document = run_json("verify", *photos, "--live", "--profile", "ha")
    assert (code, document["liveness"]["route"]["answered_by"]) == (3, "shop")


def test_options_of_a_failover(members, photos, run):
    """One threshold for all, and options of one backend, are refused before anything is sent."""
    for words, says in (
        (("--threshold", "50"), "no single threshold"),
        (("-o", "level=2"), "-o is an option of one backend"),
    ):
        answer = run("verify", *photos, "--profile", "ha", *words)
        assert answer.exit_code == 2
        assert says in answer.stderr
    answer = run("verify", *photos, "--profile", "ha", "--keep", "--rotate")
    assert answer.exit_code == 0
    assert members[0].calls[0].retention == "keep"
    assert members[0].calls[0].rotate


def test_a_picture_that_nobody_takes(members, photos, run):
    """Wrong usage, as with one backend."""
    for backend in members:
        limits = ImageLimits(formats={ImageFormat.HEIC})
        backend.capabilities = type(backend.capabilities)(
            operations=frozenset({Operation.MATCH}), image_limits=limits
        )
    answer = run("verify", *photos, "--profile", "ha")
    assert answer.exit_code == 2
    assert "tried: shop (InvalidImage), spare (InvalidImage)" in answer.stderr


def test_pairs(members, photos, run, tmp_path):
    """Each line tells who answered; one threshold for all is refused before the file is made."""
    (tmp_path / "pairs.csv").write_text(f"probe,reference\n{','.join(photos)}\n")
    words = ("verify", "--pairs", "pairs.csv", "--out", "out.jsonl", "--profile", "ha")
    assert run(*words, "--threshold", "50").exit_code == 2
    assert not (tmp_path / "out.jsonl").exists()
    members[0].script = [errors.InsufficientCredit("empty")]
    answer = run(*words)
    assert answer.exit_code == 0
    (line,) = (tmp_path / "out.jsonl").read_text().splitlines()
    assert json.loads(line)["result"]["route"]["answered_by"] == "spare"


def test_a_share_of_one_is_asked_about(members, photos, run, configured):
    """In the profile of a member as in any other."""
    configured(CONFIG.replace("= 70", "= 0.7"))
    answer = run("verify", *photos, "--profile", "ha")
    assert "[profiles.spare]: threshold 0.7 is on a scale of 0-100" in answer.stderr


def test_registry_shows_members_and_policies(members, run, run_json):
    """Each member as a profile of its own, with what stands before its calls."""
    told = run("doctor", "--profile", "ha")
    assert told.exit_code == 0
    for line in (
        "failover: ha, of shop, spare",
        "backend: one (profile shop)",
        "budget           calls 50, per day, of vendor  profile",
        "circuit_breaker  with defaults                 profile",
        "rate_limit       per_minute 300                profile",
        "backend: two (profile spare)",
    ):
        assert line in told.stdout
    code, document = run_json("doctor", "--profile", "ha")
    assert (code, document["usable"], document["backend"]) == (0, True, None)
    shop, spare = document["members"]
    assert shop["policies"]["rate_limit"] == "per_minute 300"
    assert (shop["verifier"], spare["verifier"]) == ({"threshold": 40}, {"threshold": 70})
    _, alone = run_json("doctor", "--profile", "shop")
    assert alone["policies"]["circuit_breaker"] == "with defaults"


def test_registry_finds_the_broken_member(members, run, run_json, monkeypatch):
    """The failover cannot be used either; the others are still shown."""

    class Broken(FakeBackend):
        name = "two"

        def __init__(self):
            raise ConfigurationError("it lacks a model")

    found = config.backend_class
    for module in (config, plugins):
        monkeypatch.setattr(
            module, "backend_class", lambda name: Broken if name == "two" else found(name)
        )
    answer = run("doctor", "--profile", "ha")
    assert answer.exit_code == 4
    assert "cannot be used: it lacks a model" in answer.stdout
    assert "cannot be opened without its member spare" in answer.stdout
    code, document = run_json("doctor", "--profile", "ha")
    assert [member["usable"] for member in document["members"]] == [True, False]
    assert (code, document["usable"]) == (4, False)


def test_registry_shows_no_password_of_a_store(members, run, tmp_path, monkeypatch, configured):
    """It is named by the variable that holds it, and a user's name in an address is masked."""
    monkeypatch.setenv("STORE", f"sqlite:///{tmp_path}/canary-77.sqlite3")
    configured(
        '[profiles.shop]\nbackend = "one"\n'
        '[profiles.shop.budget]\ncalls = 1\nstore = { env = "STORE" }\n'
    )
    answer = run("doctor", "--profile", "shop", "--config", "facematch.toml")
    assert answer.exit_code == 0
    assert "store env STORE" in answer.stdout
    assert "canary-77" not in answer.output


def test_a_budget_that_is_spent(members, photos, run, configured):
    """Is the vendor's code; the words say when it begins anew, and that nothing was sent."""
    configured(CONFIG.replace("calls = 50", 'calls = 0\nstore = "sqlite:///spent.sqlite3"'))
    answer = run("verify", *photos, "--profile", "ha")
    assert answer.exit_code == 5
    assert "nothing was sent" in answer.stderr
    assert "tried: shop (BudgetExceeded)" in answer.stderr
    assert members[0].calls == members[1].calls == []
