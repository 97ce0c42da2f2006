"""`pytest --facematch-report`, as the author of a plug-in runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mutants.reference import ReferenceBackend
from mutants.table import MUTANTS

from facematch_core.testing import ConformanceReport, Status, conformance

CONTRACT = """
    import pytest
    from mutants.table import MUTANTS
    from facematch_core.testing import BackendContract

    class TestContract(BackendContract):
        @pytest.fixture
        def simulator(self):
            with MUTANTS["LooksForAnotherName"].make() as simulator:
                yield simulator

        @pytest.mark.xfail(reason="the vendor has renamed its score", strict=True)
        def test_r51_good_call_is_answered(self, bench):
            super().test_r51_good_call_is_answered(bench)

        def test_of_its_own(self):
            pass
"""


def run_pytest(tmp_path, code, *options):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_acme.py").write_text(code.replace("\n    ", "\n"))
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    path = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
    how = {"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": path}, "timeout": 120}
    return subprocess.run(words, capture_output=True, text=True, check=False, **how)


@pytest.mark.slow
def test_the_same_report_as_of_the_command(tmp_path):
    """An expected failure is still one: the report is not of what its author expects."""
    mutant = MUTANTS["LooksForAnotherName"]
    due = conformance(ReferenceBackend, simulator=mutant.make)
    done = run_pytest(tmp_path, CONTRACT, "--facematch-report", "report.json")
    assert done.returncode == 0, done.stdout
    report = ConformanceReport.from_dict(json.loads((tmp_path / "report.json").read_text()))
    assert (report.rules, report.capabilities) == (due.rules, due.capabilities)
    assert [rule.number for rule in report.of(Status.FAILED)] == ["R51"]
    assert (report.backend, report.simulator) == ("reference", "ReferenceSimulator")
    assert report.verdict == due.verdict == "fails"
    assert "FAILS  reference breaks 1 rule: R51." in done.stdout
    assert "The report as JSON: report.json" in done.stdout


def test_what_gives_no_report(tmp_path):
    (tmp_path / "other.json").write_text("{}")
    two = f"{CONTRACT}\n    class TestOther(TestContract):\n        pass\n"
    for code, *options in (
        (CONTRACT, "--facematch-report", "other.json"),
        (CONTRACT, "--facematch-report", "report.json", "-n", "2"),
        (two, "--facematch-report", "report.json"),
    ):
        done = run_pytest(tmp_path, code, *options)
        assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout
    options = ("--facematch-report", "report.json", "-k")
    done = run_pytest(tmp_path, CONTRACT, *options, "of_its_own")
    assert "There is no report: no rule could begin." in done.stdout
    assert not (tmp_path / "report.json").exists()
    assert (tmp_path / "other.json").read_text() == "{}"
    run_pytest(tmp_path, CONTRACT, *options, "r23")
    report = ConformanceReport.from_dict(json.loads((tmp_path / "report.json").read_text()))
    assert [rule.number for rule in report.of(Status.PASSED)] == ["R23"]
    assert {rule.reasons for rule in report.of(Status.OPEN)} == {("it was not run",)}


def test_a_simulator_with_parameters(tmp_path):
    code = CONTRACT.replace("@pytest.fixture", "@pytest.fixture(params=[1, 2])")
    done = run_pytest(tmp_path, code, "--facematch-report", "report.json", "-k", "r23")
    assert done.returncode == 0, done.stdout
    report = ConformanceReport.from_dict(json.loads((tmp_path / "report.json").read_text()))
    assert [(rule.number, rule.cases) for rule in report.of(Status.PASSED)] == [("R23", 2)]
