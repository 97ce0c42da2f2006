"""Another vendor brings a script of its own, and nothing else knows of it."""

import importlib.metadata

from click.testing import CliRunner
from drift_targets import REF, Target, player

from facematch_core.cli._app import facematch
from facematch_mock_server.drift.judge import judge
from facematch_mock_server.drift.run import changes_of, claims_of
from facematch_mock_server.drift.script import Chain, Script, Step, script_named, script_names

CHAIN = Chain(
    name="tokens",
    group="errors",
    steps=(
        Step(
            name="token",
            path="/v1/authorize",
            fields={"client_id": "{client}", "client_secret": "{key}"},
            reads={"token": lambda body: body.get("access_token")},
        ),
        Step(
            name="token for a wrong key",
            path="/v1/authorize",
            fields={"client_id": "{client}", "client_secret": "{key}"},
            key="wrong",
        ),
        Step(name="match without pictures", path="/v1/facematch", json={}),
        Step(name="an unknown path", path="/v1/nowhere", method="GET", key="none"),
    ),
)
SCRIPT = Script(
    vendor="deepvue",
    title="Deepvue",
    chains=(CHAIN,),
    groups={"errors": "requests that are free"},
    seen=lambda _heard: {},
    credentials={"key": "client_secret", "client": "client_id"},
    headers={"Authorization": "Bearer {token}", "x-api-key": "{key}"},
    prices={},
    currency="INR",
    session="transaction_id",
    delete="/{id}",
    words=frozenset({"token_type"}),
)


def played(**more):
    """What a mock of the vendor answers."""
    edition = more.pop("edition", None) or "2026-11"
    return player(Target(edition, script=SCRIPT, **more), script=SCRIPT).play(SCRIPT.chains).played


def test_its_mock_shows_no_drift():
    """It logs in first, with two secrets; what it reads goes into its headers."""
    answers = played()
    assert [heard.status for heard in answers[0].heard] == [200, 401, 422, 404]
    verdict = judge(SCRIPT, answers, edition="2026-11", ref=REF)
    assert verdict.findings == ()
    assert "deepvue.token.answer" in verdict.agreeing


def test_a_false_claim_of_it_is_found():
    """And named, as any."""
    claim = claims_of("deepvue")["deepvue.auth.pair"]
    (change,) = changes_of("deepvue", claim)
    (finding,) = judge(SCRIPT, played(change=change), edition="2026-11", ref=REF).findings
    assert [one.claim for one in finding.suspects] == [claim.id]


def test_it_is_found_by_its_entry_point(monkeypatch):
    """Then it is a command of its own, with its own groups to skip."""

    class Point:
        name, load = "deepvue", staticmethod(lambda: SCRIPT)

    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_wanted: (Point,))
    assert script_names() == ["deepvue", "didit"]
    assert script_named("deepvue") is SCRIPT
    told = CliRunner().invoke(facematch, ["drift", "deepvue", "-h"]).output
    assert "Call Deepvue" in told
    assert "--search" not in told
    listed = CliRunner().invoke(facematch, ["drift", "-h"]).output
    assert "deepvue" in listed


def test_a_vendor_without_a_script():
    """Is no command."""
    assert script_named("nobody") is None
    assert CliRunner().invoke(facematch, ["drift", "nobody"]).exit_code == 2
