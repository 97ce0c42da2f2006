"""What `facematch new-backend` writes, built, installed and judged as a stranger's would be."""

import json
import sys
from pathlib import Path

import pytest
from kit.installed import Installed

from facematch_core.cli.new_backend import files_for

NAME = "my-vendor"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Built and installed once."""
    source = tmp_path_factory.mktemp("source")
    for file, text in files_for(NAME).items():
        path = source / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Installed(source, tmp_path_factory.mktemp("installed"))


@pytest.mark.long
def test_its_own_tests_pass(installed):
    """From its repository, against the installed copy; no rule is left open."""
    said = installed.python("-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider")
    assert " passed" in said
    assert "Not tested" not in said


@pytest.mark.long
def test_it_conforms(installed):
    """By the name that was typed, hyphen and all; its own tests ask the same rules."""
    facematch = Path(sys.executable).parent / "facematch"
    report = json.loads(installed.python(facematch, "conformance", NAME, "--json"))
    assert report["verdict"] == "conforms", report
    assert report["backend"] == NAME
    assert report["counts"]["failed"] == report["counts"]["open"] == 0


def test_it_is_opened_by_that_name(installed):
    """Which is what its results and errors call it."""
    text = (
        "import json\n"
        "from facematch_core.plugins import backend_class\n"
        f"print(json.dumps([backend_class({NAME!r}).name, backend_class({NAME!r}).__module__]))"
    )
    assert installed.script(text) == [NAME, "facematch_my_vendor._backend"]
