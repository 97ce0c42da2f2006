import ast
import errno
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from kit.public import private_names

from facematch_core.cli.new_backend import LONGEST

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent

#: What tools leave behind.
CACHE = {"__pycache__", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache"}


def written(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file() and not CACHE & set(path.parts)
    }


def tool(*words, cwd, **environment):
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    return done.returncode == 0, done.stdout + done.stderr


#: Three kinds of repositories, by the words that follow the name.
KINDS = ["", "--kind pair", "--kind session"]


def test_new_backend_writes_a_repository_and_prints_next_steps(run, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    answer = run("new-backend my-vendor")
    assert answer.exit_code == 0
    assert answer.stdout.startswith("Wrote 13 files to facematch-my-vendor. Its vendor ")
    assert "pip install -e './facematch-my-vendor[dev]'" in answer.stdout
    (module,) = tmp_path.glob("*/src/*/_backend.py")
    assert "class MyVendorBackend(" in module.read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"facematch-my-vendor"}
    assert set(written(tmp_path / "facematch-my-vendor")) >= {
        ".github/workflows/test.yml",
        "src/facematch_my_vendor/py.typed",
        "tests/test_contract.py",
    }


@pytest.mark.parametrize("kind", ["pair", "session"])
def test_a_kind_adds_a_vendor_for_the_mock(run, tmp_path, kind):
    assert run(f"new-backend my-vendor --kind {kind}").exit_code == 0
    files = written(tmp_path / "facematch-my-vendor")
    project = tomllib.loads(files["pyproject.toml"])["project"]
    assert project["entry-points"]["facematch.mock_vendors"] == {
        "my-vendor": "facematch_my_vendor._mock:VENDOR"
    }
    assert "facematch mock --vendor my-vendor" in files["README.md"]


def test_comments_of_a_template_are_questions_of_the_page(run, tmp_path):
    """An author looks up a question by its number."""
    page = (ROOT / "docs/extend/what-to-look-for.md").read_text()
    questions = dict(re.findall(r"(?m)^(\d+)\. \*\*(.+\?)\*\*", page))
    asked = {}
    for kind in ("pair", "session"):
        run(f"new-backend {kind} --kind {kind}")
        for text in written(tmp_path / f"facematch-{kind}").values():
            for number, question in re.findall(r"# Question (\d+): ([^?]+\?)", text):
                asked.setdefault(number, set()).add(question)
    for number, texts in asked.items():
        assert {text[0].upper() + text[1:] for text in texts} == {questions[number]}
    assert len(asked) > len(questions) / 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_repository_imports_only_what_is_public(run, tmp_path, kind):
    run(f"new-backend my-vendor {kind}")
    files = written(tmp_path / "facematch-my-vendor")
    programs = {path: text for path, text in files.items() if path.endswith(".py")}
    assert len(programs) > 5
    for path, text in programs.items():
        assert private_names(text, own="facematch_my_vendor") == [], path


#: What somebody may type, and what is there already.
WRONG = """
Acme
a-
../etc
facematch-acme
local
core
"""


def test_invalid_or_reserved_names_write_nothing(screens, run, tmp_path):
    (tmp_path / "file").write_text("mine")
    with screens("new-backend-wrong-usage") as show:
        for words in WRONG.strip().splitlines():
            show("", f"new-backend {words}", code=2)
        show("", "new-backend", "x" * (LONGEST + 1), code=2)
        show("", "new-backend acme --kind door", code=2)
    answer = run("new-backend -- \x1b[31m")
    assert (answer.exit_code, "\x1b" in answer.stderr) == (2, False)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_name_of_an_installed_backend_is_refused(run, plugin):
    """Two backends of one name could neither be opened."""
    plugin("", {"facematch.backends": {"my-vendor": "X"}}, name="facematch-mine")
    answer = run("new-backend my_vendor")
    assert answer.exit_code == 2
    assert "A backend my_vendor is already installed." in answer.stderr
    assert not Path("facematch-my-vendor").exists()


def test_existing_target_is_not_overwritten(run, tmp_path):
    """Whatever it is: somebody's work may be in it."""
    target = tmp_path / "facematch-acme"
    for make, remove in (
        (target.mkdir, target.rmdir),
        (target.touch, target.unlink),
        (lambda: target.symlink_to(tmp_path / "nowhere"), target.unlink),
    ):
        make()
        answer = run("new-backend acme")
        assert answer.exit_code == 2
        assert "facematch-acme exists" in answer.stderr
        assert [path.name for path in tmp_path.iterdir()] == ["facematch-acme"]
        remove()  # which only what is empty lets one do
    assert not list(tmp_path.iterdir())


def test_full_disk_leaves_no_files(run, tmp_path, monkeypatch):
    whole = Path.write_text

    def full(path, text, **options):
        if path.name == "test_contract.py":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return whole(path, text, **options)

    monkeypatch.setattr(Path, "write_text", full)
    answer = run("new-backend acme")
    assert answer.exit_code == 4
    assert answer.stderr == "error: No space left on device: facematch-acme.\n"
    assert not list(tmp_path.iterdir())


def test_folder_created_in_the_meantime_is_not_overwritten(run, tmp_path, monkeypatch):
    target = tmp_path / "facematch-acme"
    whole = Path.mkdir

    def late(path, *args, **options):
        if not target.exists():
            whole(target)
            (target / "theirs").touch()
        return whole(path, *args, **options)

    monkeypatch.setattr(Path, "mkdir", late)
    answer = run("new-backend acme")
    assert (answer.exit_code, answer.stderr) == (4, "error: File exists: facematch-acme.\n")
    assert [path.name for path in target.iterdir()] == ["theirs"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "typed", ["x9-" + "w" * (LONGEST - 3), pytest.param("m_2", marks=pytest.mark.slow)]
)
def test_generated_files_pass_ruff_and_name_existing_classes(run, tmp_path, typed, kind):
    run(f"new-backend {typed} {kind}")
    (repository,) = tmp_path.iterdir()
    files = written(repository)
    for check in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        content, output = tool(BIN / "ruff", *check, ".", cwd=repository)
        assert content, output
    project = tomllib.loads(files["pyproject.toml"])["project"]
    assert project["name"] == repository.name
    for points in project["entry-points"].values():
        ((name, target),) = points.items()
        assert name == typed
        module, _, class_ = target.partition(":")
        path = f"src/{module.replace('.', '/')}"
        tree = ast.parse(files.get(f"{path}.py") or files[f"{path}/__init__.py"])
        nodes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.alias)]
        variables = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
        assert class_ in {*(node.name for node in nodes), *variables}


@pytest.mark.parametrize("kind", ["pair", "session"])
def test_a_long_claim_passes_ruff(run, tmp_path, kind):
    run(f"new-backend my-vendor --kind {kind}")
    (module,) = tmp_path.glob("*/src/*/_mock.py")
    text = module.read_text()
    claim = next(line for line in text.splitlines() if line.startswith("    row("))
    sentence = claim.rpartition(', "')[2]
    module.write_text(text.replace(sentence, f"It is said at length. {'As above. ' * 9}{sentence}"))
    (repository,) = tmp_path.iterdir()
    content, output = tool(BIN / "ruff", "check", "--no-cache", ".", cwd=repository)
    assert content, output


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "command", [["mypy"], ["pyright", "--pythonpath", sys.executable]], ids=["mypy", "pyright"]
)
def test_generated_repository_passes_type_checkers(run, tmp_path, command, kind):
    checker, *how = command
    if not (BIN / checker).exists():
        pytest.skip(f"{checker} is not installed beside this Python")
    run(f"new-backend my-vendor {kind}")
    path = os.pathsep.join(["src", str(ROOT)])
    fine, output = tool(BIN / checker, *how, cwd=tmp_path / "facematch-my-vendor", MYPYPATH=path)
    assert fine, output
