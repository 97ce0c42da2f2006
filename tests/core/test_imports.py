"""What an import costs, and who may import whom."""

import ast
import graphlib
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import facematch_core

ROOT = Path(__file__).parents[2]
HEAVY = {"anyio", "requests", "PIL", "numpy", "stevedore", "click", "rich", "pytest", "hypothesis"}
PUBLIC = {
    "facematch_core",
    "facematch_core.backend",
    "facematch_core.config",
    "facematch_core.http",
    "facematch_core.errors",
    "facematch_core.files",
    "facematch_core.lazy",
    "facematch_core.resilience",
}
#: What doubles are made of; nothing else may need pytest.
KIT = "facematch_core.testing"
BACKENDS = sorted(path.name for path in (ROOT / "backends").iterdir() if path.is_dir())
MOCK = "facematch_mock_server"
COMPARISON = "facematch_comparison"
PACKAGES = {
    "facematch_core": ROOT,
    COMPARISON: ROOT / "comparison",
    MOCK: ROOT / "mock_server",
    **dict.fromkeys(BACKENDS, ROOT / "backends"),
}


def modules_of(package):
    """Name of each module of a package to its file; a package's `__init__` has the package's."""
    base = PACKAGES[package]
    for path in sorted((base / package).rglob("*.py")):
        *folders, stem = path.relative_to(base).with_suffix("").parts
        yield ".".join(folders if stem == "__init__" else [*folders, stem]), path


def imported_within(package):
    """Each module of a package to those of it that it imports, wherever in it, for types too."""
    files = dict(modules_of(package))
    graph = {}
    for name, path in files.items():
        home = name if path.name == "__init__.py" else name.rpartition(".")[0]
        found = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                parts = home.split(".")[: len(home.split(".")) + 1 - node.level]
                source = (
                    ".".join(filter(None, [*parts, node.module])) if node.level else node.module
                )
                # A name of a package is a module of it, or stands in its `__init__`.
                names = (f"{source}.{alias.name}" for alias in node.names)
                found |= {each if each in files else source for each in names}
        graph[name] = (found & files.keys()) - {name}
    return graph


def loaded_after(code):
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(done.stdout.split())


def imported_modules(path):
    """Absolute names of what a file imports; relative ones are its own package's."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module


def test_import_loads_nothing_heavy():
    """Neither the HTTP library, nor the picture library, nor the plug-in loader."""
    assert not HEAVY & loaded_after("import facematch_core")


def test_the_local_backend_is_light_until_used():
    """Importing the package loads no model library."""
    loaded = loaded_after("import facematch_local")
    assert not (HEAVY | {"dlib", "onnx", "onnxruntime"}) & loaded


def imports_below(folder):
    """Each file below a folder, with each module that it imports."""
    paths = sorted(folder.rglob("*.py"))
    assert len(paths) > 30
    return [(path, module) for path in paths for module in imported_modules(path)]


def test_the_core_knows_no_vendor():
    """Nor the mock, nor the comparison: each is found through entry points."""
    for path, module in imports_below(ROOT / "facematch_core"):
        assert module.split(".")[0] not in {*BACKENDS, MOCK, COMPARISON}, path
        if module == "pytest" or module.startswith(("_pytest", "hypothesis")):
            assert "testing" in path.parts, path


@pytest.mark.parametrize("name", BACKENDS)
def test_a_backend_imports_public_names_only(name):
    """What it needs of the core is what any stranger's plug-in may use."""
    for path in (ROOT / "backends" / name).rglob("*.py"):
        for module in imported_modules(path):
            top = module.split(".")[0]
            assert top not in set(BACKENDS) - {name}, path
            if top == "facematch_core":
                is_double = path.name == "_simulator.py"
                assert module in PUBLIC or (is_double and module == KIT), path
            assert top != MOCK, path


def test_the_mock_imports_public_names_only():
    """And no backend: it opens one by its name, as any program does."""
    for path, module in imports_below(ROOT / "mock_server" / MOCK):
        top = module.split(".")[0]
        assert top not in BACKENDS, path
        if top == "facematch_core":
            is_double = path.name in ("simulators.py", "simulator.py")
            assert module in PUBLIC or (is_double and module == KIT), path


def test_the_comparison_knows_no_vendor():
    """It asks whatever backend it is named; only its commands load the command line."""
    for path, module in imports_below(ROOT / "comparison" / COMPARISON):
        assert module.split(".")[0] not in {*BACKENDS, MOCK}, path
        if module.startswith("facematch_core.cli"):
            assert "cli" in path.parts, path


@pytest.mark.parametrize("package", PACKAGES)
def test_no_import_goes_in_a_circle(package):
    """Not through a package's `__init__`, not inside a function, and not for types."""
    graphlib.TopologicalSorter(imported_within(package)).prepare()  # or it names the circle


def test_the_mock_is_light_until_used():
    """The package lies on the path of every test run: its import loads nothing of the mock."""
    loaded = loaded_after(f"import {MOCK}")
    assert not (HEAVY | {"attrs", "httptools", "responses", "asyncio"}) & loaded


def test_the_mock_serves_without_a_client_library():
    """A server needs neither requests nor what tests are made with."""
    code = f"from {MOCK} import MockServer; mock = MockServer(); mock.start(); mock.stop()"
    assert not {"requests", "responses", "pytest", "hypothesis", "numpy"} & loaded_after(code)


def test_public_names_exist_once():
    """One list, without a dead name."""
    assert len(set(facematch_core.__all__)) == len(facematch_core.__all__)
    assert all(hasattr(facematch_core, name) for name in facematch_core.__all__)


def test_help_begins_with_names_that_are_there():
    """What one needs first, each under its own name."""
    heads = re.findall(r"^([A-Za-z_, ]+)(?:\(.*\))?\n    ", facematch_core.__doc__, re.MULTILINE)
    names = [name for head in heads for name in head.split(", ")]
    assert len(heads) == 6
    assert set(names) <= set(facematch_core.__all__)
    assert {"open_verifier", "Failover", "FaceMatchError", "Budget", "SqlStore"} <= set(names)


@pytest.mark.parametrize(
    "name",
    [
        "facematch_core",
        COMPARISON,
        "facematch_didit",
        MOCK,
    ],
)
def test_type_checkers_and_python_find_the_same_names(name):
    """The imports that only type checkers see say what the table of lazy imports says."""
    package = importlib.import_module(name)
    tree = ast.parse(Path(package.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    assert set(seen) == set(package.__all__)
    assert set(seen) <= set(dir(package))
    for public, module in seen.items():
        home = importlib.import_module(f"{name}.{module}")
        assert getattr(package, public) is getattr(home, public)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        package.Nothing  # noqa: B018 - the access is what is tested


@pytest.mark.parametrize(
    ("name", "unloaded"),
    [
        (
            "facematch_didit.verify_webhook",
            {"requests", "sqlalchemy", "facematch_didit.account"},
        ),
        (
            "facematch_didit.DiditBackend",
            {"facematch_didit.account", "facematch_didit.webhooks", "sqlalchemy"},
        ),
    ],
)
def test_a_name_loads_no_more_than_it_needs(name, unloaded):
    """Whoever only receives webhooks loads no client; who reads settings, no HTTP library."""
    package, _, public = name.partition(".")
    assert not unloaded & loaded_after(f"from {package} import {public}")


def test_the_version_is_the_distributions():
    """Told once by the module and once by the metadata."""
    from importlib.metadata import version

    assert version("facematch-core") == facematch_core.__version__
