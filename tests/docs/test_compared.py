"""A comparison with a real vendor counts only if it is shown to be one; pages and mock say when."""

import hashlib
import importlib
import json
import os
from pathlib import Path

import pytest
import requests
from kit.commands import invoke_facematch
from kit.first_calls import record_first_calls
from kit.rawserver import RawServer, http_reply, read_request, send

from facematch_mock_server import MockServer, compared
from facematch_mock_server.compared import latest_comparison, read_comparisons

DOCS = Path(__file__).parents[2] / "docs"
IMAGE = "serengil/deepface@sha256:" + "5e" * 32


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(DOCS)
    return importlib.import_module("_compared")


@pytest.fixture
def compare(tmp_path, monkeypatch):
    """Record first calls to a mock in the vendor's place; return the report and the recording."""

    def run(vendor):
        recording = tmp_path / f"{vendor}.json"
        record_first_calls(vendor, recording, monkeypatch)
        report = tmp_path / f"{vendor}-report.json"
        report.write_text(invoke_facematch("parity", str(recording), "--json").stdout)
        return report, recording

    return run


@pytest.fixture
def vendors(tmp_path, monkeypatch):
    """A folder of comparisons, in which there are none yet, read in the place of docs/vendors."""
    folder = tmp_path / "vendors"
    folder.mkdir()
    file = folder / "compared.toml"
    file.write_text("# No vendor was compared.\n")
    monkeypatch.setattr(compared, "FILE_IN_CHECKOUT", file)
    read_comparisons.cache_clear()
    yield folder
    read_comparisons.cache_clear()


def check_reports(folder):
    """Fail if a comparison says something else than its report."""
    for comparison in read_comparisons():
        report = json.loads((folder / comparison.report).read_text())
        assert report["sha256"] == comparison.recording
        assert len(report["exchanges"]) == comparison.exchanges
        assert report["counts"]["alike"] == comparison.alike
        assert report["counts"]["different"] == comparison.different
        assert {host["vendor"] for host in report["hosts"]} == {comparison.vendor}
        is_own = [host["is_the_vendors_own"] for host in report["hosts"]]
        assert all(is_own) == (comparison.image is None and comparison.software is None)


def claims_of_didit():
    with MockServer(vendor="didit") as mock:
        return requests.get(f"{mock.url}/__mock__/claims", timeout=10).json()


def test_vendor_without_a_comparison_was_never_compared(vendors, script):
    assert latest_comparison("didit") is None
    tables = importlib.import_module("_feature_table")
    assert "**never**" in tables.comparison_with("didit")
    assert tables.day_of_comparison("didit") == "never"
    assert tables.day_of_comparison("local") == "-"
    assert claims_of_didit()["compared"] is None


def test_comparison_with_the_vendors_own_host_counts_and_is_shown(vendors, script, compare):
    report, recording = compare("didit")
    name = script.add_comparison(report, recording, script.Server(), vendors)
    read_comparisons.cache_clear()
    comparison = latest_comparison("didit")
    assert comparison.report == name
    assert comparison.exchanges == comparison.alike > 5, report.read_text()
    assert (comparison.different, comparison.image) == (0, None)
    assert json.loads((vendors / name).read_text()) == json.loads(report.read_text())
    check_reports(vendors)
    tables = importlib.import_module("_feature_table")
    assert str(comparison.date) in tables.comparison_with("didit")
    assert tables.day_of_comparison("didit") == f"[{comparison.date}]({name})"
    assert tables.day_of_comparison("deepvue") == "never"
    shown = claims_of_didit()["compared"]
    assert (shown["date"], shown["alike"]) == (str(comparison.date), comparison.alike)
    with pytest.raises(script.DoesNotCount):
        script.add_comparison(report, recording, script.Server(), vendors)


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """A docker that has one image."""
    program = tmp_path / "docker"
    program.write_text(f"#!/bin/sh\necho '[\"{IMAGE}\"]'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


def test_image_on_this_machine_counts_with_its_digest(vendors, script, compare, docker):
    report, recording = compare("deepface")
    with pytest.raises(script.DoesNotCount, match="--image"):
        script.add_comparison(report, recording, script.Server(), vendors)
    invented = script.Server(image=IMAGE.replace("5e", "aa"))
    with pytest.raises(script.DoesNotCount, match="docker has no"):
        script.add_comparison(report, recording, invented, vendors)
    script.add_comparison(report, recording, script.Server(image=IMAGE), vendors)
    read_comparisons.cache_clear()
    assert latest_comparison("deepface").image == IMAGE
    check_reports(vendors)
    assert IMAGE in importlib.import_module("_feature_table").comparison_with("deepface")


HOME = http_reply(200, b"<h1>Welcome to DeepFace API v0.0.103!</h1>")


def test_software_counts_if_its_server_names_its_version(vendors, script, compare):
    report, recording = compare("deepface")
    with RawServer([read_request, send(HOME)]) as server:
        older = script.Server(software="deepface 0.0.10 (PyPI)", url=server.url)
        with pytest.raises(script.DoesNotCount, match="does not say"):
            script.add_comparison(report, recording, older, vendors)
        software = "deepface 0.0.103 (PyPI)"
        name = script.add_comparison(
            report, recording, script.Server(software=software, url=server.url), vendors
        )
    read_comparisons.cache_clear()
    comparison = latest_comparison("deepface")
    assert (comparison.software, "FasNet" in comparison.stand_ins) == (software, True)
    check_reports(vendors)
    assert software in importlib.import_module("_feature_table").comparison_with("deepface")
    last = json.loads((vendors / name).read_text())
    assert script.differences_from_last(last, vendors) == []
    last["exchanges"][3]["result"] = "different"
    (changed, gone) = script.differences_from_last(last, vendors)
    assert "different" in changed
    assert gone.startswith("gone: 4 ")


RECORDING = b"a recording"
REPORT = {
    "kind": "facematch-parity",
    "schema": 3,
    "facematch": "0.3.0",
    "sha256": hashlib.sha256(RECORDING).hexdigest(),
    "recorded": ["2026-11-29"],
    "hosts": [{"vendor": "didit", "host": "verification.didit.me", "is_the_vendors_own": True}],
    "counts": {"alike": 1, "different": 0, "not imitated": 0},
    "exchanges": [{"number": 1}],
}
OTHER_HOST = {"vendor": "didit", "host": "10.0.0.7:5005", "is_the_vendors_own": False}


@pytest.mark.parametrize(
    ("changes", "image"),
    [
        pytest.param({"kind": "facematch-evaluation"}, None, id="another report"),
        pytest.param({"schema": 2}, None, id="another schema"),
        pytest.param({"sha256": "0" * 64}, None, id="another recording"),
        pytest.param({"exchanges": [], "hosts": []}, None, id="no call"),
        pytest.param({"hosts": [*REPORT["hosts"], OTHER_HOST]}, None, id="one host of another"),
        pytest.param({"hosts": [OTHER_HOST]}, IMAGE, id="an image on another machine"),
        pytest.param({}, IMAGE, id="an image, and the vendor's host"),
        pytest.param(
            {"hosts": [*REPORT["hosts"], {**REPORT["hosts"][0], "vendor": "onfido"}]},
            None,
            id="two vendors",
        ),
        pytest.param(
            {"hosts": [{**OTHER_HOST, "host": "127.0.0.1:5005"}]},
            "serengil/deepface:latest",
            id="an image without digest",
        ),
    ],
)
def test_comparison_that_is_not_shown_to_be_one_does_not_count(script, changes, image):
    with pytest.raises(script.DoesNotCount):
        script.check_report(REPORT | changes, RECORDING, script.Server(image))


def test_the_report_of_the_refusals_counts_without_their_changes(script):
    script.check_report(REPORT, RECORDING, script.Server())


def test_each_comparison_has_its_report():
    check_reports(DOCS / "vendors")
