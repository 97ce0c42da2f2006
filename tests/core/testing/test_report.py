"""A conformance report as data: its verdict, its JSON form, and the table of what proves what."""

import datetime as dt
import json
from pathlib import Path

import attrs
import jsonschema
import pytest
from hypothesis import given
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
def test_round_trip(made):
    """Written, sent as text and read again, a report is the same; and it keeps its schema."""
    document = json.loads(json.dumps(made.to_dict(), allow_nan=False))
    VALIDATOR.validate(document)
    assert ConformanceReport.from_dict(document) == made
    assert ConformanceReport.from_dict({**document, "later": 1}) == made


def test_the_schema_is_a_schema():
    """And it refuses what is no report."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    good = report(Status.PASSED).to_dict()
    for change in ({"schema": 1}, {"kind": "match"}, {"verdict": "fine"}, {"rules": [{}]}):
        assert not VALIDATOR.is_valid({**good, **change})


def test_the_schema_knows_every_field():
    """None is missing that the class has, and none is there that it has not."""
    written = report(Status.PASSED).to_dict()
    assert list(SCHEMA["properties"]) == SCHEMA["required"] == list(written)
    parts = {"rule": RuleLine, "capability": CapabilityLine}
    for name, cls in parts.items():
        assert list(SCHEMA["$defs"][name]["properties"]) == [f.name for f in attrs.fields(cls)]


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        ((Status.PASSED, Status.DOES_NOT_APPLY), "conforms"),
        ((Status.PASSED, Status.OPEN), "open"),
        ((Status.PASSED, Status.OPEN, Status.FAILED), "fails"),
    ],
)
def test_verdict(statuses, verdict):
    """One failure fails, something untested leaves it open, what does not apply is nothing."""
    assert report(*statuses).verdict == verdict
    assert report(*statuses).to_dict()["counts"]["passed"] == 1


def test_rules_of_one_status():
    """By the word as well, and a word that is none is an error."""
    made = report(Status.PASSED, Status.FAILED)
    assert [rule.number for rule in made.of("failed")] == ["R02"]
    assert made.of("passed") == made.of(Status.PASSED) == made.rules[:1]
    assert made.counts["failed"] == 1
    with pytest.raises(ValueError, match="fine"):
        made.of("fine")


def test_a_capability_that_nothing_proves_leaves_it_open():
    """It was promised, and nobody has seen it."""
    line = CapabilityLine(name="rotate", declared="yes", proved=False, rules=("R26",))
    assert report(Status.PASSED, capabilities=(line,)).verdict == "open"


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


def test_what_is_no_document():
    """Neither is a list."""
    with pytest.raises(InvalidRequest, match="A conformance report must be an object, not list"):
        ConformanceReport.from_dict([])


#: Every capability that a backend can declare, by its name in a report.
CAPABILITIES = [
    *("match", "liveness", "both in one call", "rotate", "keep", "caller_ref", "metadata"),
    *("own options", "threshold rule", "default threshold", "scale of scores"),
    *("scale of liveness", "limits of pictures", "what is charged", "look into records"),
]
#: Fields of `Capabilities` that no rule holds a backend to, and why.
NO_RULE = {
    "rate_windows": "what the vendor publishes: only the vendor could prove it",
    "reports_faces": "a vendor need not describe faces, so that nothing can be missed",
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


@pytest.mark.parametrize("field", attrs.fields(Capabilities), ids=lambda field: field.name)
def test_every_capability_has_its_rules(field):
    """A field of `Capabilities` that is no longer declared changes the report, or it is said why
    no rule proves it.
    """
    backend = ReferenceSimulator().backend()
    before = proved(backend, {})
    plain = attrs.fields_dict(Capabilities)[field.name].default
    if isinstance(plain, attrs.Factory):
        plain = plain.factory()
    if field.name == "threshold_rule":
        plain = ThresholdRule.VENDOR
    backend.capabilities = attrs.evolve(backend.capabilities, **{field.name: plain})
    assert (proved(backend, {}) == before) == (field.name in NO_RULE)


@pytest.mark.parametrize("status", Status)
def test_what_proves_a_capability(status):
    """A rule that passed, and none beside it that did not."""
    backend = ReferenceSimulator().backend()
    [line] = [line for line in proved(backend, {"R26": status}) if line.name == "metadata"]
    assert line.proved is (status is Status.PASSED)
    [beside] = [
        line
        for line in proved(backend, {"R26": status, "R42": Status.PASSED})
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
