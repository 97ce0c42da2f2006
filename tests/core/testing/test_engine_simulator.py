from kit.contract import Status, failures, run
from mutants.engine import ColourSimulator


def test_engine_conforms():
    cases = tuple(run(ColourSimulator))
    assert not failures(cases)
    passed = {case.rule for case in cases if case.status is Status.PASSED}
    assert passed >= {"R19", "R21", "R28", "R25"}
