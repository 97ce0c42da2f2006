"""A conformance report as data: its verdict, its JSON form, and the table of what proves what."""

import datetime as dt
import json
from pathlib import Path

import attrs
import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutants.reference import ReferenceSimulator

from facematch_core import InvalidRequest, ThresholdRule
from facematch_core.backend import Backend, Capabilities
from facematch_core.testing import ConformanceReport, rules
from facematch_core.testing.report import CapabilityLine, RuleLine, Status, proved

FILE = "docs/reference/conformance-report.schema.json"
SCHEMA = json.loads((Path(__file__).parents[3] / FILE).read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

names = st.text(min_size=1, max_size=12)
numbers = st.integers(1, 99).map("R{:02}".format)
lines = st.builds(
    RuleLine,
    number=numbers,
    title=names,
    status=st.sampled_from(Status),
    reasons=st.lists(names, max_size=2).map(tuple),
    cases=st.integers(0, 20),
    passed=st.integers(0, 20),
)
capabilities = st.builds(
    CapabilityLine,
    name=names,
    declared=names,
    proved=st.booleans(),
    rules=st.lists(numbers, max_size=3).map(tuple),
)
moments = st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2100, 1, 1), timezones=st.just(dt.UTC))
reports = st.builds(
    ConformanceReport,
    backend=names,
    distribution=st.none() | names,
    version=st.none() | names,
    simulator=st.none() | names,
    simulator_distribution=st.none() | names,
    simulator_version=st.none() | names,
    settings=st.lists(names, max_size=2).map(tuple),
    core_version=names,
    python_version=names,
    made_at=moments,
    rules=st.lists(lines, max_size=5).map(tuple),
    capabilities=st.lists(capabilities, max_size=3).map(tuple),
)


def report(*statuses, **more):
    """A report with one rule of each of these statuses."""
    found = tuple(
        RuleLine(number=f"R{number:02}", title="It is so.", status=status)
        for number, status in enumerate(statuses, 1)
    )
    made = dt.datetime(2026, 11, 20, 9, 30, tzinfo=dt.UTC)
    told = {"backend": "acme", "core_version": "1.0", "python_version": "3.11.2", "made_at": made}
    return ConformanceReport(**{"rules": found, **told, **more})


@given(reports)
@settings(max_examples=30)
def test_round_trip(made):
    """Written, sent as text and read again, a report is the same; and it keeps its schema."""
    document = json.loads(json.dumps(made.to_dict(), allow_nan=False))
    VALIDATOR.validate(document)
    assert ConformanceReport.from_dict(document) == made
    assert ConformanceReport.from_dict({**document, "later": 1}) == made


def test_the_schema_knows_every_field():
    """None is missing that the class has, none is there that it has not; others are refused."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    written = report(Status.PASSED).to_dict()
    for change in ({"schema": 1}, {"kind": "match"}, {"verdict": "fine"}, {"rules": [{}]}):
        assert not VALIDATOR.is_valid({**written, **change})
    assert list(SCHEMA["properties"]) == SCHEMA["required"] == list(written)
    parts = {"rule": RuleLine, "capability": CapabilityLine}
    for name, cls in parts.items():
        assert list(SCHEMA["$defs"][name]["properties"]) == [f.name for f in attrs.fields(cls)]


def test_verdict():
    """One failure fails, something untested or not proved leaves it open."""
    passed, unproved = (
        Status.PASSED,
        CapabilityLine(name="rotate", declared="yes", proved=False, rules=()),
    )
    assert report(passed, Status.DOES_NOT_APPLY).verdict == "conforms"
    assert report(passed, capabilities=(unproved,)).verdict == "open"
    assert report(passed, Status.OPEN).verdict == "open"
    assert report(passed, Status.OPEN, Status.FAILED).verdict == "fails"
    assert report(passed, Status.OPEN).to_dict()["counts"]["passed"] == 1


def test_rules_of_one_status():
    """By the word as well, and a word that is none is an error."""
    made = report(Status.PASSED, Status.FAILED)
    assert [rule.number for rule in made.of("failed")] == ["R02"]
    assert made.of("passed") == made.of(Status.PASSED) == made.rules[:1]
    with pytest.raises(ValueError, match="fine"):
        made.of("fine")


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 1},
        {"kind": "match"},
        {"rules": None},
        {"rules": [{"number": "R01"}]},
        {"made_at": "yesterday"},
        {"made_at": "2026-11-20T09:30:00"},
        {"backend": 5},
        {"verdict": "conforms"},
    ],
    ids=str,
)
def test_what_is_no_card_is_refused(change):
    """In one sentence; a verdict that somebody has improved, too."""
    with pytest.raises(InvalidRequest) as caught:
        ConformanceReport.from_dict({**report(Status.FAILED).to_dict(), **change})
    assert "\n" not in str(caught.value)


#: Every capability that a backend can declare, by its name in a report.
CAPABILITIES = [
    *("match", "liveness", "rotate", "keep", "caller_ref", "metadata", "own options"),
    *("threshold rule", "default threshold", "scale of scores", "scale of liveness"),
    *("limits of pictures", "faces", "what is charged", "look into records"),
]
#: Fields of `Capabilities` that no rule holds a backend to, and why.
NO_RULE = {
    "rate_windows": "what the vendor publishes: only the vendor could prove it",
    "reference_limits": "is in the report with `image_limits`",
    "demographic_keys": "names what the core drops; R22 looks for what it dropped",
    "media_keys": "names what the core masks in `raw`",
}


def test_everything_that_the_reference_declares():
    """It declares whatever there is; rules that exist prove each of it."""
    numbers = {rule.number for rule in rules()}
    found = proved(ReferenceSimulator().backend(), dict.fromkeys(numbers, Status.PASSED))
    assert [line.name for line in found] == CAPABILITIES
    assert all(line.proved for line in found)
    assert {number for line in found for number in line.rules} <= numbers


def test_every_capability_has_its_rules():
    """A field of `Capabilities` that is no longer declared changes the report, or it is said why
    no rule proves it.
    """
    backend = ReferenceSimulator().backend()
    before, declared, untold = proved(backend, {}), backend.capabilities, set()
    for field in attrs.fields(Capabilities):
        plain = (
            field.default.factory() if isinstance(field.default, attrs.Factory) else field.default
        )
        if field.name == "threshold_rule":
            plain = ThresholdRule.VENDOR
        backend.capabilities = attrs.evolve(declared, **{field.name: plain})
        if proved(backend, {}) == before:
            untold.add(field.name)
    assert untold == set(NO_RULE)


@pytest.mark.parametrize("status", Status)
def test_what_proves_a_capability(status):
    """A rule that passed, and none beside it that did not."""
    backend = ReferenceSimulator().backend()
    [line] = [line for line in proved(backend, {"R25": status}) if line.name == "metadata"]
    assert line.proved is (status is Status.PASSED)
    [beside] = [
        line
        for line in proved(backend, {"R25": status, "R42": Status.PASSED})
        if line.name == "rotate"
    ]
    assert beside.proved is (status in (Status.PASSED, Status.DOES_NOT_APPLY))


def test_what_is_not_declared_is_not_on_the_card():
    """Nothing to prove, nothing to read."""

    class Plain(Backend):
        name = "plain"

        def match(self, call):
            raise NotImplementedError

    told = {line.name: line.declared for line in proved(Plain(), {})}
    assert told == {"match": "yes", "threshold rule": "at least"}
