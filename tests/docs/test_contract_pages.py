"""The pages of the contract; ``UPDATE_DOCS=1 pytest tests/docs`` writes what is generated."""

import pytest
from kit.pages import DOCS, check_part

from facematch_core.testing import BackendContract, Status, conformance, rules
from facematch_core.testing.contract.money import EXPECTED
from facematch_core.testing.simulator import FAILURES, Situation

#: Our backends, and the simulators that are installed with them.
OURS = {
    name: f"{name.capitalize()}Simulator"
    for name in ("didit", "rekognition", "azure", "deepvue", "local")
}


@pytest.mark.long
@pytest.mark.parametrize("name", OURS)
def test_our_own_backends_conform_and_prove_what_they_declare(name):
    report = conformance(name)
    assert (report.simulator, report.simulator_distribution) == (OURS[name], "facematch-core")
    assert [line.number for line in report.rules] == [rule.number for rule in rules()]
    passes = {Status.PASSED, Status.DOES_NOT_APPLY}
    assert not [line.reasons for line in report.rules if line.status not in passes]
    assert all(line.reasons for line in report.of(Status.DOES_NOT_APPLY))
    assert not [capability.name for capability in report.capabilities if not capability.proved]
    assert report.verdict.value == "conforms"


def test_the_table_of_errors_is_generated():
    assert set(EXPECTED) == set(FAILURES)
    repeated = {True: "yes", False: "no", None: "any"}
    table = "| Situation | Error | `charged` | `retryable` | Requests |\n|---|---|---|---|---|\n"
    for situation, expected in EXPECTED.items():
        billed = " or ".join(f"`{charged.name}`" for charged in expected.charged)
        if situation is Situation.UNREADABLE_200:
            billed += "; `NO` too of an operation that is not declared as billed"
        cells = (
            f"`{situation.name}`",
            " or ".join(f"`{error.__name__}`" for error in expected.errors),
            billed,
            repeated[expected.retryable],
            " or ".join(map(str, expected.requests)),
        )
        table += f"| {' | '.join(cells)} |\n"
    check_part("reference/rules.md", "errors", table.rstrip("\n"))


def test_every_theme_of_rules_is_in_the_reference():
    page = (DOCS / "reference" / "rules.md").read_text()
    for theme in BackendContract.__bases__[:-1]:
        assert f"::: {theme.__module__}.{theme.__name__}\n" in page
