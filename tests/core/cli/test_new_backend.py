"""`facematch new-backend`: what it writes is whole, clean and somebody's own; what exists stays."""

import ast
import errno
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from facematch_core.cli.new_backend import FILES, LONGEST, TEMPLATES, Author, files_for

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
    assert answer.stdout.startswith("Wrote 13 files to facematch-my-vendor. Its vendor ")
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
    there = [path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.txt")]
    wanted = [f"{file.rpartition('/')[2].removeprefix('.')}.txt" for file in FILES]
    assert sorted(there) == sorted(wanted)


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


def test_what_is_configured_is_installed():
    """The extra `dev` brings each tool that the workflow runs."""
    files = files_for("acme")
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


@pytest.fixture
def git(tmp_path_factory, monkeypatch):
    """A function that says in git's configuration who one is."""
    file = tmp_path_factory.mktemp("git") / "config"
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(file))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")

    def set_(**values):
        for key, value in values.items():
            subprocess.run(["git", "config", "--file", file, f"user.{key}", value], check=True)

    return set_


def project_of(folder):
    """The metadata of the one repository in a folder."""
    (repository,) = folder.glob("facematch-*")
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize("name", ["Ada Lovelace", 'J. "Ada" \\ König'])
def test_the_author_is_that_of_git(run, tmp_path, git, name):
    """Whatever TOML makes of the letters of a name."""
    git(name=name, email="ada@example.org")
    run("new-backend", "acme")
    assert project_of(tmp_path)["authors"] == [{"name": name, "email": "ada@example.org"}]


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"name": "Ada"},
        {"name": "Ada", "email": "at home"},
        {"name": "A\x1b[31mda", "email": "ada@example.org"},
    ],
)
def test_an_author_whom_git_does_not_name(run, tmp_path, git, values):
    """A placeholder that everybody sees: no half of a name, and nothing that an index refuses."""
    git(**values)
    run("new-backend", "acme")
    (author,) = project_of(tmp_path)["authors"]
    assert Author(**author) == Author()


def test_without_git(run, tmp_path, monkeypatch):
    """Nobody needs it."""
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert run("new-backend", "acme").exit_code == 0
    assert Author(**project_of(tmp_path)["authors"][0]) == Author()


def test_what_is_left_is_named(run, tmp_path, git):
    """Its own test names each placeholder, of git's author none; it passes once all are gone."""
    git(name="Ada Lovelace", email="ada@example.org")
    run("new-backend", "acme")
    repository = tmp_path / "facematch-acme"
    pytest_ = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/test_package.py")
    fine, said = tool(*pytest_, cwd=repository)
    assert fine
    assert "1 xfailed" in said
    assert "pyproject.toml: Private :: Do Not Upload" in said
    assert "https://code.example" in said
    assert "_backend.py: invented" in said
    assert "Your Name" not in said
    placeholders = r"invented|https://code\.example|Private :: Do Not Upload"
    for name, text in written(repository).items():
        if name != "tests/test_package.py":
            (repository / name).write_text(re.sub(placeholders, "mine", text), encoding="utf-8")
    fine, said = tool(*pytest_, cwd=repository)
    assert fine
    assert "1 passed" in said


def test_no_upload_by_mistake():
    """The index refuses a package with this classifier, until somebody takes it out."""
    project = tomllib.loads(files_for("acme")["pyproject.toml"])["project"]
    assert "Private :: Do Not Upload" in project["classifiers"]
    assert set(project["urls"]) == {"Homepage", "Issues", "Changelog"}


def test_the_example_of_the_documentation_is_what_is_written():
    """Template, example and how-to page say the same; UPDATE_DOCS=1 writes the example anew."""
    files = files_for("acme")
    if os.environ.get("UPDATE_DOCS"):
        for name, text in files.items():
            (EXAMPLE / name).parent.mkdir(parents=True, exist_ok=True)
            (EXAMPLE / name).write_text(text, encoding="utf-8")
    assert written(EXAMPLE) == files


@pytest.mark.parametrize("typed", TYPED)
def test_files_are_clean_whatever_the_name(run, tmp_path, typed):
    """Python reads them, ruff has no wish about them, and the entry points lead somewhere."""
    run("new-backend", typed)
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


#: The type checkers, and how each is asked.
CHECKERS = {"mypy": [f"--cache-dir={os.devnull}"], "pyright": ["--pythonpath", sys.executable]}


@pytest.mark.long
@pytest.mark.parametrize("checker", CHECKERS)
def test_type_checkers_agree(run, tmp_path, checker):
    """mypy, strict, and pyright, over the package and its tests."""
    if not (BIN / checker).exists():
        pytest.skip(f"{checker} is not installed beside this Python")
    run("new-backend", "my-vendor")
    content, said = tool(
        BIN / checker,
        *CHECKERS[checker],
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
