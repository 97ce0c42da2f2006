import pytest

GOOD = """
    import attrs
    from facematch_core import MatchResult, Operation, Retention, ThresholdRule
    from facematch_core.backend import Backend, Capabilities

    @attrs.frozen
    class Options:
        level: int = 1

    class Good(Backend):
        name = "good"
        capabilities = Capabilities(
            operations=frozenset(Operation), retention=frozenset(Retention), options=Options,
            threshold_rule=ThresholdRule.ABOVE, default_threshold=30.0,
            score_scale="good/v1", billed_operations=frozenset(Operation),
        )
        def match(self, call):
            raise NotImplementedError

    class Broken(Good):
        name = "broken"
        def __init__(self):
            raise RuntimeError("key=hunter2")

    class NeedsKey:
        pass
"""


@pytest.fixture
def strangers(plugin):
    points = {"good": "Good", "broken": "Broken", "lost": "Missing", "other": "NeedsKey"}
    plugin(GOOD, {"facematch.backends": points})


def test_what_is_wrong_stands_below_in_a_sentence(run, strangers):
    answer = run("backends", env={"COLUMNS": "160"})
    assert answer.exit_code == 0
    rows = {line.split()[0]: line for line in answer.stdout.splitlines() if line[:1].isalpha()}
    usable = {name: row.split()[1] for name, row in rows.items()}
    assert {"broken": "no", "good": "yes", "local": "yes", "lost": "no", "other": "no"}.items() <= (
        usable.items()
    )
    assert "above 30" in rows["good"]
    assert "match, liveness, keep" in rows["good"]
    assert "at least 50" in rows["local"]
    assert "? " in rows["lost"]
    assert "lost: The backend lost of stranger cannot be imported" in answer.stdout
    assert "other: The backend other of stranger is no subclass" in answer.stdout
    assert "hunter2" not in answer.output


def test_the_same_for_programs(run_json, strangers):
    code, document = run_json("backends")
    assert code == 0
    entries = {entry["name"]: entry for entry in document["backends"]}
    good = entries["good"]
    assert (good["distribution"], good["version"], good["usable"]) == ("stranger", "2.5", True)
    assert {"liveness", "match"} <= {*good["billed"]}
    assert good["session"] is False
    assert good["options"] == ["level"]
    assert good["keep"]
    assert entries["local"]["liveness"] is False
    lost = entries["lost"]
    assert lost["usable"] is False
    assert lost["match"] is None
    assert "AttributeError" in lost["problem"]


def test_a_name_that_only_looks_like_ours_is_not_opened(run, run_json, plugin):
    cyrillic = "did\u0456t"
    plugin(GOOD.replace('"good"', f'"{cyrillic}"'), {"facematch.backends": {cyrillic: "Good"}})
    _, document = run_json("backends")
    (entry,) = [e for e in document["backends"] if e["distribution"] == "stranger"]
    assert entry["usable"] is False
    assert r"did\u0456t" in entry["problem"]
    assert run("doctor", "--backend", cyrillic).exit_code == 4
