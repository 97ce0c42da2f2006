"""A vendor of ours, built as a distribution of its own: nothing that ours have is missing."""

import re
import tomllib
from types import SimpleNamespace

import pytest
from kit import outside
from kit.public import private_names

pytestmark = pytest.mark.slow

MOCK = ("-m", "facematch_core", "mock", "--vendor", "facepp")
PAGES = outside.ROOT / "docs/vendors"
OPEN = "import facematch_core as fm; fm.open_verifier('facepp', api_key='a', api_secret='b')"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The environment, in which the core alone is installed, and the wheel of Face++."""
    folder = tmp_path_factory.mktemp("outside")
    outside.copy_core(folder / "core")
    outside.copy_facepp(folder / "facepp")
    outside.copy_checks(folder / "checks")
    environment = outside.Environment(folder / "environment")
    environment.install(outside.build(folder / "core", folder / "core-wheel"))
    wheel = outside.build(folder / "facepp", folder / "wheel")
    return SimpleNamespace(folder=folder, environment=environment, wheel=wheel)


@pytest.fixture(scope="module")
def without_owner(built):
    """What is said without the package, and then beside a thief of its name."""
    run, folder = built.environment.run, built.folder
    unknown = run("-c", OPEN, cwd=folder, code=1)
    mock = run(*MOCK, cwd=folder, code=2)
    packages = built.environment.packages
    (packages / "thief.py").write_text("raise SystemExit('the thief is imported')\n")
    info = packages / "facematch_thief-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: facematch-thief\nVersion: 1\n")
    points = "[facematch.{}]\nfacepp = thief:Thief\n"
    (info / "entry_points.txt").write_text(
        points.format("backends") + points.format("mock_vendors")
    )
    refused = run("-c", OPEN, cwd=folder, code=1)
    refused_mock = run(*MOCK, cwd=folder, code=2)
    built.environment.install(built.wheel)
    return SimpleNamespace(unknown=(unknown, mock), refused=(refused, refused_mock))


@pytest.fixture
def run(built, without_owner):
    """Run Python where Face++ is installed, and a thief of its name beside it."""

    def run(*words, **variables):
        return built.environment.run(*words, cwd=built.folder / "checks", **variables)

    return run


def test_without_the_package_errors_say_what_to_install(without_owner):
    for said in (*without_owner.unknown, *without_owner.refused):
        assert "pip install ./backends/facematch_facepp" in said
    for said in without_owner.refused:
        assert "uninstall facematch-thief" in said
        assert "the thief is imported" not in said


def test_it_imports_only_what_is_public(built):
    files = list((built.folder / "facepp").rglob("*.py"))
    assert len(files) > 6
    for file in files:
        assert private_names(file.read_text()) == [], file


def test_doctor_lists_it(run):
    assert re.search(
        r"(?m)^ *facepp\b.*facematch-facepp 0\.3\.0", run("-m", "facematch_core", "doctor")
    )


def test_its_page_and_its_claims_are_printed(run):
    page = run("-m", "facematch_core", "docs", "vendors/facepp")
    assert page.startswith("# Face++\n")
    assert "vendors/facepp  " in run("-m", "facematch_core", "docs")
    assert "`facepp.match.answer`" in run("-m", "facematch_core", "docs", "claims/facepp")


def test_its_facts_are_in_the_tables_of_vendors(run):
    tables = ("choice", "buying", "faces")
    code = f"import _feature_table as t; print(*(getattr(t, 'table_of_' + n)() for n in {tables}))"
    printed = run("-c", code, PYTHONPATH=str(outside.ROOT / "docs"))
    rows = [line for line in printed.splitlines() if "facepp.md" in line]
    assert len(rows) == len(tables)
    assert set(rows) <= set((PAGES / "index.md").read_text().splitlines())


def test_the_part_of_its_page_about_first_calls_is_the_same(run):
    code = "import _feature_table as t; print(t.first_calls_to('facepp'))"
    printed = run("-c", code, PYTHONPATH=str(outside.ROOT / "docs"))
    assert "17 [first calls]" in printed
    assert printed.strip() in (PAGES / "facepp.md").read_text()


def test_its_prices_are_read(run):
    code = "from facematch_comparison.cli import list_prices as l; print(l.read_facts()['facepp'])"
    facts = tomllib.loads((outside.PARTS["facematch_facepp"] / "facts.toml").read_text())
    assert run("-c", code).strip() == str(facts)


def test_contract_fixtures_door_first_calls_and_parity_pass(run):
    printed = run(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "pythonpath=.", "test_outside.py"
    )
    assert " passed" in printed
