"""What an import costs, and who may import whom."""

import ast
import importlib
import importlib.metadata
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from facematch_core.base.extras import install_command

ROOT = Path(__file__).parents[2]
CORE = "facematch_core"
PUBLIC = {
    CORE,
    f"{CORE}.backend",
    f"{CORE}.backend.engine",
    f"{CORE}.backend.kinds",
    f"{CORE}.backend.session_types",
    f"{CORE}.base.addresses",
    f"{CORE}.base.clock",
    f"{CORE}.base.deadline",
    f"{CORE}.base.extras",
    f"{CORE}.base.files",
    f"{CORE}.base.lazy",
    f"{CORE}.base.nesting",
    f"{CORE}.base.signatures",
    f"{CORE}.base.threads",
    f"{CORE}.errors",
    f"{CORE}.http",
    f"{CORE}.models",
    f"{CORE}.resilience",
    f"{CORE}.config.opening",
    f"{CORE}.config.plugins",
    f"{CORE}.call.verdict",
}
#: What commands are made of.
COMMANDS = {f"facematch_core.cli.{name}" for name in ("app", "files", "options", "text")}
#: What doubles are made of; nothing else may need pytest.
KIT = "facematch_core.testing"
BACKENDS = sorted(path.name for path in (ROOT / "backends").iterdir() if path.is_dir())
VENDORS = [name.removeprefix("facematch_") for name in BACKENDS]
MOCK = "facematch_mock_server"
COMPARISON = "facematch_comparison"
PACKAGES = {
    "facematch_core": ROOT,
    COMPARISON: ROOT / "comparison",
    MOCK: ROOT / "mock_server",
    **dict.fromkeys(BACKENDS, ROOT / "backends"),
}

# What an import loads

HEAVY = {"anyio", "requests", "PIL", "numpy", "stevedore", "click", "pytest", "hypothesis"}
MODELS = {"cv2"}
CLIENT = {"facematch_didit.account", "sqlalchemy"}
#: Each statement with what neither it nor those before it may load.
LIGHT = {
    "import facematch_core": HEAVY | MODELS,
    f"import {MOCK}": HEAVY | {"attrs", "httptools", "responses", "asyncio"},
    "import facematch_local": HEAVY | MODELS,
    # A server needs neither requests nor what tests are made with.
    f"from {MOCK} import MockServer; mock = MockServer(); mock.start(); mock.stop()": {
        "requests",
        "responses",
        "pytest",
        "hypothesis",
        "numpy",
        "jsonpath_ng",
    },
    "from facematch_didit import verify_webhook": CLIENT | {"requests"},
    "from facematch_didit import DiditBackend": CLIENT,
    # What a plug-in needs to be imported costs neither pytest nor click.
    "import facematch_core.backend, facematch_core.http, facematch_core.errors": {
        "pytest",
        "_pytest",
        "click",
        "hypothesis",
        "facematch_core.testing",
    },
    # Settings that are texts need no converter, which takes 50 ms to import.
    "import facematch_core; facematch_core.open_verifier('didit').close()": {"cattrs"},
    "facematch_local.LocalBackend": MODELS,
    "import facematch_core.resilience, facematch_core.store": {"sqlalchemy"},
    "import facematch_core.testing": {"hypothesis"},
}
#: What `open_verifier` reads above.
DIDIT_VARIABLES = {
    "DIDIT_API_KEY": "k-0123456789",
    "DIDIT_ENVIRONMENT": "sandbox",
    "DIDIT_WORKFLOW_ID": "0b1c3b6a-3f5e-4a55-9d0e-2a1f6f6b7c8d",
}
#: Runs the statements one after the other, and prints which modules are loaded after each.
PROBE = """
import json, sys
found = {}
for code in json.loads(sys.argv[1]):
    exec(code)
    found[code] = list(sys.modules)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def loaded():
    command = [sys.executable, "-W", "ignore", "-c", PROBE, json.dumps(list(LIGHT))]
    variables = os.environ | DIDIT_VARIABLES
    return json.loads(subprocess.check_output(command, env=variables, text=True, timeout=240))


@pytest.mark.parametrize("code", LIGHT)
def test_import_does_not_load_unneeded_modules(loaded, code):
    assert not LIGHT[code] & set(loaded[code])


#: The words of a command, with the modules that its help may not load.
HELP = {"": rf"{MOCK}(\..*)?", "drill": rf"{MOCK}\.vendors\.({'|'.join(VENDORS)})(\..*)?"}
HELP_PROBE = """
import sys
from facematch_core.cli import main
try:
    main()
finally:
    print(*sys.modules, sep=chr(10))
"""


@pytest.mark.parametrize("command", HELP)
def test_help_does_not_load_the_mock_or_its_vendors(command):
    words = [sys.executable, "-c", HELP_PROBE, *command.split(), "--help"]
    shown = subprocess.check_output(words, text=True, timeout=240)
    assert "Usage: " in shown
    assert not [name for name in shown.splitlines() if re.fullmatch(HELP[command], name)]


# Who imports whom


def imports_of(package):
    """Each file of a package, with what follows `import` or `from` at the start of its lines."""
    for path in sorted((PACKAGES[package] / package).rglob("*.py")):
        for name in re.findall(r"^ *(?:import|from) +(\w[\w.]*)", path.read_text(), re.MULTILINE):
            yield path, name


#: Who may import which others of ours.
MAY_IMPORT = {
    "facematch_core": set(),
    COMPARISON: {"facematch_core"},
    MOCK: {"facematch_core"},
    **{name: {"facematch_core"} for name in BACKENDS},
}


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_only_allowed_public_modules(package):
    """Others are found through entry points; the comparison is ours, and may know the core."""
    imports = list(imports_of(package))
    assert len(imports) > 3
    for path, module in imports:
        top = module.split(".")[0]
        assert top not in PACKAGES.keys() - {package} - MAY_IMPORT[package], path
        if top == "facematch_core" and package not in ("facematch_core", COMPARISON):
            # A double stands in contract tests, also the mock's for all vendors.
            is_double = path.name in ("simulator.py", "testing.py")
            # Commands of plug-ins are built of what those of the core share.
            is_command = path.name.endswith(("cli.py", "command.py")) and module in COMMANDS
            assert module in PUBLIC or is_command or (is_double and module == KIT), path
        if package == COMPARISON and module.startswith("facematch_core.cli"):
            assert "cli" in path.parts, path
        if package == "facematch_core" and top in ("pytest", "_pytest", "hypothesis"):
            assert "testing" in path.parts or path.name == "pytest_report.py", path


# Public names


@pytest.mark.parametrize("name", ["facematch_core", COMPARISON, "facematch_didit", MOCK])
def test_type_checkers_and_python_find_the_same_names(name):
    package = importlib.import_module(name)
    tree = ast.parse(Path(package.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    modules = {alias.name: node.module for node in block.body for alias in node.names}
    assert set(modules) == set(package.__all__)
    assert len(package.__all__) <= 94
    assert set(package.__all__) <= set(dir(package))
    for public, module in modules.items():
        home = importlib.import_module(f"{name}.{module}")
        assert getattr(package, public) is getattr(home, public)
    with pytest.raises(AttributeError):
        package.Nothing  # noqa: B018 - the access is what is tested


# The extras that a name needs


@pytest.mark.parametrize("extra", ["store", "local", "compare", "mock", "testing", "heif"])
def test_install_command_names_neither_a_checkout_nor_facematch(extra):
    assert not {"-e", "checkout", "facematch"} & set(
        install_command(extra).replace('"', " ").split()
    )


def test_install_command_names_the_extra_if_metadata_is_missing(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", missing)
    assert install_command("store") == "install the packages of the extra store"
