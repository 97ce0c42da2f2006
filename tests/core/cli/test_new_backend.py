"""`facematch new-backend`: what it writes is whole, clean and somebody's own; what exists stays."""

import ast
import errno
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from facematch_core.cli.new_backend import FILES, KINDS, LONGEST, TEMPLATES, files_for

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "docs" / "examples" / "acme_backend"
BIN = Path(sys.executable).parent

#: What tools leave behind.
CACHE = {"__pycache__", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache"}

#: Names of every form, the shortest and the longest among them.
TYPED = ["acme", "a", "my-vendor", "deepface_server", "m2", "x9" * 3 + "-" + "w" * (LONGEST - 7)]


def written(folder):
    """Path to text of every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file() and not CACHE & set(path.parts)
    }


def tool(*words, cwd, **environment):
    """Run one of our tools in a folder; what it prints, and whether it is content."""
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode == 0, done.stdout + done.stderr


def test_it_writes_a_repository_and_says_what_comes_next(run, tmp_path, monkeypatch):
    """The three commands are typed so that they work from where one stands."""
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    answer = run("new-backend", "my-vendor")
    assert answer.exit_code == 0
    assert answer.stdout.startswith("Wrote 11 files to facematch-my-vendor. Its vendor ")
    assert [line.strip() for line in answer.stdout.splitlines()[-3:]] == [
        "python -m pip install -e './facematch-my-vendor[dev]'",
        "python -m pytest facematch-my-vendor",
        "facematch conformance my-vendor",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["facematch-my-vendor"]
    assert set(written(tmp_path / "facematch-my-vendor")) >= {
        ".github/workflows/test.yml",
        "LICENSE",
        "src/facematch_my_vendor/_backend.py",
        "src/facematch_my_vendor/py.typed",
        "tests/test_contract.py",
    }


def test_next_where_the_shell_does_not_find_us(run, monkeypatch):
    """Then it would find another Python as well, in which there is no facematch."""
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("sys.argv", [".venv/bin/facematch", "new-backend"])
    install, tests, card = run("new-backend", "acme").stdout.splitlines()[-3:]
    assert install.startswith(f"  {sys.executable} -m pip ")
    assert tests.startswith(f"  {sys.executable} -m pytest ")
    assert card == "  .venv/bin/facematch conformance acme"


def test_into_makes_missing_folders(run, tmp_path, monkeypatch):
    """And names the place in full where it is one."""
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    place = tmp_path / "a place" / "of mine"
    answer = run("new-backend", "acme", "--into", place)
    assert f"install -e '{place}/facematch-acme[dev]'" in answer.stdout
    assert (place / "facematch-acme" / "pyproject.toml").is_file()
    assert place.stat().st_mode == (place / "facematch-acme").stat().st_mode


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("Acme", "did you mean acme?"),
        ("My Vendor GmbH & Co", "did you mean my-vendor-gmbh-co?"),
        ("2fast", "did you mean fast?"),
        ("a--b", "did you mean a-b?"),
        ("a-", "did you mean a?"),
        ("x" * (LONGEST + 1), f"at most {LONGEST} characters"),
        ("../etc", "did you mean etc?"),
        ("", "not ''."),
        ("\x1b[31m", "did you mean m?"),
        ("ß", "not 'ß'."),
        ("facematch-acme", "NAME is only the vendor's: acme"),
        ("local", "A backend local is installed already, by facematch-core."),
        ("didit", "such as my-didit."),
        ("deepvue", "such as my-deepvue."),
        ("core", "A package facematch_core is installed already."),
        ("mock-server", "A package facematch_mock_server is installed already."),
    ],
)
def test_names_that_are_none_or_taken(run, tmp_path, typed, says):
    """One sentence with what to type instead, exit code 2, and nothing is written."""
    answer = run("new-backend", "--", typed)
    assert answer.exit_code == 2
    assert says in answer.stderr.splitlines()[-1]
    assert "\x1b" not in answer.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("typed", ["my-vendor", "my_vendor"])
def test_name_of_an_installed_backend(run, plugin, tmp_path, typed):
    """Two backends of one name could neither be opened."""
    plugin("", {"facematch.backends": {"my-vendor": "X"}}, name="facematch-mine")
    answer = run("new-backend", typed)
    assert answer.exit_code == 2
    assert "A backend my-vendor is installed already, by facematch-mine." in answer.stderr
    assert not (tmp_path / "facematch-my-vendor").exists()


@pytest.mark.parametrize("kind", ["folder", "file", "link to nothing"])
def test_what_exists_is_left_alone(run, tmp_path, kind):
    """Whatever it is: somebody's work may be in it."""
    target = tmp_path / "facematch-acme"
    if kind == "folder":
        target.mkdir()
    elif kind == "file":
        target.write_text("mine")
    else:
        target.symlink_to(tmp_path / "nowhere")
    answer = run("new-backend", "acme")
    assert answer.exit_code == 2
    assert "facematch-acme exists" in answer.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["facematch-acme"]
    assert kind != "folder" or not list(target.iterdir())
    assert kind != "file" or target.read_text() == "mine"


def test_place_that_cannot_be_written(run, tmp_path):
    """A file where a folder should be: wrong usage, told in one sentence."""
    (tmp_path / "file").write_text("mine")
    answer = run("new-backend", "acme", "--into", "file/below")
    assert answer.exit_code == 2
    assert "error: --into: file/below/facematch-acme cannot be written" in answer.stderr


def test_full_disk_leaves_nothing(run, tmp_path, monkeypatch):
    """Half a repository would be taken for a whole one."""
    whole = Path.write_text

    def full(path, text, **options):
        if path.name == "test_contract.py":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return whole(path, text, **options)

    monkeypatch.setattr(Path, "write_text", full)
    answer = run("new-backend", "acme")
    assert answer.exit_code == 4
    assert answer.stderr == "error: No space left on device: facematch-acme.\n"
    assert not list(tmp_path.iterdir())


def test_every_template_is_used():
    """And none is missing."""
    there = {path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.txt")}
    wanted = {
        kind: {f"{file.rpartition('/')[2].removeprefix('.')}.txt" for file in (*FILES, *made.files)}
        for kind, made in KINDS.items()
    }
    for kind, names in wanted.items():
        assert all({f"common/{name}", f"{kind}/{name}"} & there for name in names)
    assert there <= {f"{kind}/{name}" for kind, names in wanted.items() for name in names} | {
        f"common/{name}" for names in wanted.values() for name in names
    }


@pytest.mark.parametrize(
    ("typed", "package", "class_", "variable"),
    [
        ("my-vendor", "facematch_my_vendor", "MyVendorBackend", "MY_VENDOR_API_KEY"),
        ("my_vendor", "facematch_my_vendor", "MyVendorBackend", "MY_VENDOR_API_KEY"),
        ("acme", "facematch_acme", "AcmeBackend", "ACME_API_KEY"),
    ],
)
def test_the_name_is_taken_letter_by_letter(typed, package, class_, variable):
    """Only where Python needs another letter there is one."""
    files = files_for(typed)
    points = tomllib.loads(files["pyproject.toml"])["project"]["entry-points"]
    assert points["facematch.backends"] == {typed: f"{package}:{class_}"}
    backend = files[f"src/{package}/_backend.py"]
    assert f'name = "{typed}"' in backend
    assert variable in backend


def test_a_licence_stands_in_file_and_metadata():
    """As SPDX writes it."""
    files = files_for("acme")
    project = tomllib.loads(files["pyproject.toml"])["project"]
    assert (project["license"], project["license-files"]) == ("Apache-2.0", ["LICENSE"])
    assert files["LICENSE"] == (ROOT / "LICENSE").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_configured_is_installed(kind):
    """The extra `dev` brings each tool that the workflow runs."""
    files = files_for("acme", kind)
    project = tomllib.loads(files["pyproject.toml"])
    extras = project["project"]["optional-dependencies"]
    assert {"mypy", "ruff"} <= {word.partition(">")[0] for word in extras["dev"]}
    assert "facematch-acme[testing]" in extras["dev"]
    assert extras["testing"] == ["facematch-core[testing]"]
    runs = files[".github/workflows/test.yml"]
    for tool_ in (
        "ruff check",
        "ruff format --check",
        "mypy",
        "pytest",
        "facematch conformance acme",
    ):
        assert tool_ in runs
    assert "${{ matrix.python }}" in runs


def test_an_unknown_kind(run, tmp_path):
    """Is refused with those that there are."""
    answer = run("new-backend", "acme", "--kind", "soap")
    assert answer.exit_code == 2
    assert all(kind in answer.stderr for kind in KINDS)
    assert not list(tmp_path.iterdir())


def test_the_example_of_the_documentation_is_what_is_written():
    """Template, example and how-to page say the same; UPDATE_DOCS=1 writes the example anew."""
    files = files_for("acme")
    if os.environ.get("UPDATE_DOCS"):
        for name, text in files.items():
            (EXAMPLE / name).parent.mkdir(parents=True, exist_ok=True)
            (EXAMPLE / name).write_text(text, encoding="utf-8")
    assert written(EXAMPLE) == files


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("typed", TYPED)
def test_files_are_clean_whatever_the_name(run, tmp_path, typed, kind):
    """Python reads them, ruff has no wish about them, and the entry points lead somewhere."""
    run("new-backend", typed, "--kind", kind)
    (repository,) = tmp_path.iterdir()
    files = written(repository)
    for check in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        content, said = tool(BIN / "ruff", *check, ".", cwd=repository)
        assert content, said
    project = tomllib.loads(files["pyproject.toml"])["project"]
    assert project["name"] == repository.name
    for points in project["entry-points"].values():
        ((name, target),) = points.items()
        assert name == typed
        module, _, class_ = target.partition(":")
        path = f"src/{module.replace('.', '/')}"
        tree = ast.parse(files.get(f"{path}.py") or files[f"{path}/__init__.py"])
        nodes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.alias)]
        assert class_ in {node.name for node in nodes}


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_type_checker_agrees(run, tmp_path, kind):
    """mypy, strict, over the package and its tests."""
    if not (BIN / "mypy").exists():
        pytest.skip("mypy is not installed beside this Python")
    run("new-backend", "my-vendor", "--kind", kind)
    content, said = tool(
        BIN / "mypy",
        f"--cache-dir={os.devnull}",
        cwd=tmp_path / "facematch-my-vendor",
        MYPYPATH=os.pathsep.join(["src", str(ROOT)]),
    )
    assert content, said


def test_the_core_alone_is_enough(tmp_path):
    """Neither pytest nor an extra is needed to write the files."""
    code = (
        "import sys\n"
        "for name in ('pytest', 'hypothesis', 'responses', 'httptools', 'numpy', 'sqlalchemy'):\n"
        "    sys.modules[name] = None\n"
        "sys.argv = ['facematch', 'new-backend', 'acme']\n"
        "from facematch_core.cli import main\n"
        "main()\n"
    )
    fine, said = tool(sys.executable, "-W", "error", "-c", code, cwd=tmp_path)
    assert fine, said
    assert (tmp_path / "facematch-acme" / "tests" / "test_contract.py").is_file()
