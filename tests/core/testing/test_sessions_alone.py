"""A plug-in of hosted sessions alone, and the two tables of a vendor's words."""

import ast
from pathlib import Path

import pytest
from mutants.sessions import SessionReference, SessionVendor

from facematch_core.backend import Capabilities
from facematch_core.testing import Situation, conformance

ROOT = Path(__file__).parents[3]


class Alone(SessionReference):
    """Compares no pictures."""

    name = "alone"
    capabilities = Capabilities(operations=frozenset())


class Vendor(SessionVendor):
    situations = SessionVendor.situations - {
        *(Situation.SAME_PERSON, Situation.DIFFERENT_PEOPLE),
        *(Situation.LIVE, Situation.SPOOF),
    }

    def __init__(self):
        super().__init__(Alone)


def test_it_conforms_and_its_sessions_are_all_that_is_declared():
    report = conformance(Alone, simulator=Vendor)
    assert report.verdict == "conforms"
    assert "threshold rule" not in [line.name for line in report.capabilities]


@pytest.mark.parametrize("vendor", ["azure", "didit", "rekognition"])
def test_what_the_pages_say_is_not_read_from_the_code_that_it_judges(vendor):
    """A page that is misread in one table would be right in both."""

    def modules(path):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (name.name for name in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield node.module or ""

    simulators = ROOT / "mock_server" / "facematch_mock_server" / "conformance" / "sessions.py"
    assert not [name for name in modules(simulators) if name.startswith(f"facematch_{vendor}")]
    for path in (ROOT / "backends" / f"facematch_{vendor}").rglob("*.py"):
        assert not [name for name in modules(path) if name.startswith("facematch_mock_server")]
