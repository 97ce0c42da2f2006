import datetime as dt
import json
from pathlib import Path

import attrs
import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutants.reference import ReferenceSimulator

from facematch_core import InvalidRequest
from facematch_core.testing import ConformanceReport, rules
from facematch_core.testing.report import CapabilityLine, RuleLine, Status, prove

FILE = "docs/reference/conformance-report.schema.json"
SCHEMA = json.loads((Path(__file__).parents[3] / FILE).read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

names = st.text(min_size=1, max_size=12)
numbers = st.integers(1, 99).map("R{:02}".format)
texts = st.lists(names, max_size=2).map(tuple)
some_numbers = st.lists(numbers, max_size=3).map(tuple)
counts = st.integers(0, 20)
lines = st.builds(
    RuleLine,
    number=numbers,
    title=names,
    status=st.sampled_from(Status),
    reasons=texts,
    cases=counts,
    passed=counts,
)
capabilities = st.builds(
    CapabilityLine, name=names, declared=names, proved=st.booleans(), rules=some_numbers
)
moments = st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2100, 1, 1), timezones=st.just(dt.UTC))
needed = dict.fromkeys(("backend", "simulator", "core_version", "python_version"), names)
whom = ("distribution", "version", "simulator_distribution", "simulator_version")
reports = st.builds(
    ConformanceReport,
    **needed,
    **dict.fromkeys(whom, st.none() | names),
    settings=texts,
    made_at=moments,
    rules=st.lists(lines, max_size=5).map(tuple),
    capabilities=st.lists(capabilities, max_size=3).map(tuple),
)


def report(*statuses, **more):
    lines = tuple(
        RuleLine(number=f"R{number:02}", title="It is so.", status=status)
        for number, status in enumerate(statuses, 1)
    )
    when = dt.datetime(2026, 11, 20, 9, 30, tzinfo=dt.UTC)
    facts = {"backend": "acme", "core_version": "1.0", "python_version": "3.11.2", "made_at": when}
    facts["simulator"] = "Simulator"
    return ConformanceReport(**{"rules": lines, **facts, **more})


@given(reports)
@settings(max_examples=10)
def test_a_report_is_read_as_it_was_written_and_keeps_its_schema(report):
    document = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    VALIDATOR.validate(document)
    assert ConformanceReport.from_dict(document) == report
    assert ConformanceReport.from_dict({**document, "later": 1}) == report


def test_the_schema_knows_every_field():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    written = report(Status.PASSED).to_dict()
    for change in ({"schema": 1}, {"kind": "match"}, {"verdict": "fine"}, {"rules": [{}]}):
        assert not VALIDATOR.is_valid({**written, **change})
    assert list(SCHEMA["properties"]) == SCHEMA["required"] == list(written)
    parts = {"rule": RuleLine, "capability": CapabilityLine}
    for name, cls in parts.items():
        assert list(SCHEMA["$defs"][name]["properties"]) == [f.name for f in attrs.fields(cls)]


def test_one_failure_fails_and_what_is_untested_leaves_it_open():
    passed, unproved = (
        Status.PASSED,
        CapabilityLine(name="rotate", declared="yes", proved=False, rules=()),
    )
    assert report(passed, Status.DOES_NOT_APPLY).verdict == "conforms"
    assert report(passed, capabilities=(unproved,)).verdict == "open"
    assert report(passed, Status.OPEN).verdict == "open"
    assert report(passed, Status.OPEN, Status.FAILED).verdict == "fails"
    assert report(passed, Status.NOT_JUDGED).verdict == "open"
    assert report(passed, Status.NOT_JUDGED, Status.FAILED).verdict == "fails"
    some = report(passed, Status.OPEN)
    assert some.to_dict()["counts"]["passed"] == 1
    assert some.of("passed") == some.of(Status.PASSED) == some.rules[:1]
    with pytest.raises(ValueError, match="fine"):
        some.of("fine")


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 1},
        {"rules": [{"number": "R01"}]},
        {"made_at": "2026-11-20T09:30:00"},
        {"verdict": "conforms"},
    ],
    ids=str,
)
def test_what_is_no_card_is_refused(change):
    with pytest.raises(InvalidRequest) as caught:
        ConformanceReport.from_dict({**report(Status.FAILED).to_dict(), **change})
    assert "\n" not in str(caught.value)


#: Every capability that a backend can declare, by its name in a report.
CAPABILITIES = [
    *("match", "liveness", "rotate", "keep", "caller_ref", "metadata", "own options"),
    *("threshold rule", "default threshold", "scale of scores", "scale of liveness"),
    *("limits of pictures", "faces", "what is charged", "look into records"),
    *("clean-ups", "nothing kept in memory"),
]


def test_existing_rules_prove_everything_that_can_be_declared():
    numbers = {rule.number for rule in rules()}
    lines = prove(ReferenceSimulator().backend(), dict.fromkeys(numbers, Status.PASSED))
    assert [line.name for line in lines] == CAPABILITIES
    assert all(line.proved for line in lines)
    assert {number for line in lines for number in line.rules} <= numbers


@pytest.mark.parametrize("status", [None, *Status])
def test_what_calls_show_is_there_where_its_rule_applies(status):
    """What nobody declares, and no rule has seen, is not said to be proved."""
    backend = ReferenceSimulator().backend()
    lines = prove(backend, {} if status is None else {"R28": status})
    shown = [line.proved for line in lines if line.name == "nothing kept in memory"]
    absent = status in (None, Status.DOES_NOT_APPLY)
    assert shown == ([] if absent else [status is Status.PASSED])


@pytest.mark.parametrize("status", Status)
def test_a_capability_is_proved_by_a_rule_that_passed_beside_none_that_did_not(status):
    backend = ReferenceSimulator().backend()
    [line] = [line for line in prove(backend, {"R25": status}) if line.name == "metadata"]
    assert line.proved is (status is Status.PASSED)
    [beside] = [
        line
        for line in prove(backend, {"R25": status, "R42": Status.PASSED})
        if line.name == "rotate"
    ]
    assert beside.proved is (status in (Status.PASSED, Status.DOES_NOT_APPLY))
