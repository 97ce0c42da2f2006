"""`pytest --facematch-report`, as the author of a plug-in runs it."""

import contextlib
import io
import json

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


def run_pytest(folder, files, *runs):
    """The exit code of each run of pytest over these files, and what it printed."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    for name, code in files.items():
        (folder / name).write_text(code.replace("\n    ", "\n"))
    ends = []
    for words in runs:
        with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()) as out:
            code = pytest.main(["-q", "-p", "no:cacheprovider", "--import-mode=importlib", *words])
        ends.append((code, out.getvalue()))
    return ends


def report_of(folder, name):
    return ConformanceReport.from_dict(json.loads((folder / name).read_text()))


@pytest.mark.slow
def test_the_same_report_as_of_the_command(tmp_path):
    """An expected failure is still one: the report is not of what its author expects."""
    mutant = MUTANTS["LooksForAnotherName"]
    due = conformance(ReferenceBackend, simulator=mutant.make)
    words = ["test_acme.py", "--facematch-report", "report.json"]
    [[code, printed]] = run_pytest(tmp_path, {"test_acme.py": CONTRACT}, words)
    assert code == 0, printed
    report = report_of(tmp_path, "report.json")
    assert (report.rules, report.capabilities) == (due.rules, due.capabilities)
    assert [rule.number for rule in report.of(Status.FAILED)] == ["R51"]
    assert (report.backend, report.simulator) == ("reference", "ReferenceSimulator")
    assert report.verdict == due.verdict == "fails"
    assert "FAILS  reference breaks 1 rule: R51." in printed
    assert "The report as JSON: report.json" in printed


def test_what_gives_no_report_or_half_of_one(tmp_path):
    (tmp_path / "other.json").write_text("{}")
    files = {
        "test_acme.py": CONTRACT,
        "test_two.py": f"{CONTRACT}\n    class TestOther(TestContract):\n        pass\n",
        "test_params.py": CONTRACT.replace("@pytest.fixture", "@pytest.fixture(params=[1, 2])"),
    }
    refused = [
        ["test_acme.py", "--facematch-report", "other.json"],
        ["test_acme.py", "--facematch-report", "report.json", "-n", "2"],
        ["test_two.py", "--facematch-report", "report.json"],
    ]
    none = ["test_acme.py", "--facematch-report", "none.json", "-k", "of_its_own"]
    half = ["test_acme.py", "--facematch-report", "half.json", "-k", "r23"]
    twice = ["test_params.py", "--facematch-report", "twice.json", "-k", "r23"]
    *ends, (_, of_none), _, of_twice = run_pytest(tmp_path, files, *refused, none, half, twice)
    for code, printed in ends:
        assert code == pytest.ExitCode.USAGE_ERROR, printed
    assert (tmp_path / "other.json").read_text() == "{}"
    assert "There is no report: no rule could begin." in of_none
    assert not {"report.json", "none.json"} & {path.name for path in tmp_path.iterdir()}
    report = report_of(tmp_path, "half.json")
    assert [rule.number for rule in report.of(Status.PASSED)] == ["R23"]
    assert {rule.reasons for rule in report.of(Status.OPEN)} == {("it was not run",)}
    assert of_twice[0] == 0, of_twice
    report = report_of(tmp_path, "twice.json")
    assert [(rule.number, rule.cases) for rule in report.of(Status.PASSED)] == [("R23", 2)]
