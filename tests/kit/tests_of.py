"""Which tests are about a file: `make test-of FILES=...`, or of what differs from the last commit.

Prints arguments of pytest, one a line. No run is recorded: the folders of tests mirror those of the
packages (`tests/packaging/test_mirrors.py` says so), and the other tests name what they are about.
It does not know which tests reach a file through others: `make test` does that.
"""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: The packages, each with the folder of its tests.
ROOMS = {
    "facematch_core": "tests/core",
    "comparison/facematch_comparison": "tests/comparison",
    "mock_server/facematch_mock_server": "tests/mock_server",
}
#: Tests of folders that the tests do not have.
ELSEWHERE = {
    "facematch_core/batch": ["tests/core/cli/test_pairs.py", "tests/comparison/run/test_run.py"]
}
SHAPES = "tests/packaging/test_shapes.py"
#: The claims and the fields of each answer of the mock.
ANSWERS = "tests/mock_server/claims/test_cited.py"
CONTRACTS = ("tests/backends/test_contracts.py", "tests/backends/test_pair_contracts.py")
PAGE = "tests/docs/test_examples.py::test_page_shows_current_output[{page}]"
#: They need programs of the system, or minutes, or name any file.
LEFT_OUT = (
    "tests/system/",
    "tests/examples/",
    "tests/docs/test_examples.py",
    "tests/packaging/test_tests_of.py",
)


@cache
def _texts_of_tests():
    """Return the text of each test file by its path, without those of commands of their own."""
    texts = {}
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        path = file.relative_to(ROOT).as_posix()
        if not path.startswith(LEFT_OUT):
            texts[path] = file.read_text(encoding="utf-8")
    return texts


def tests_in(folder):
    """Return the test files in a folder and in those below it."""
    return [path for path in _texts_of_tests() if path.startswith(f"{folder}/")]


def mirror_of(room, parts, stem):
    """Return the tests about a module: files or a folder of its name, else all of its folder's.

    Args:
        room: The folder of the package's tests.
        parts: The module's folders in the package.
        stem: The module's name.
    """
    folder = Path(room)
    for part in parts:
        # The calls of a mock's vendor are tested by resource, as all else.
        if part != "calls":
            folder /= part
    while not (ROOT / folder).is_dir() and folder != Path(room):
        stem = folder.name
        folder = folder.parent
    tests = [path for path in tests_in(folder) if _is_about(Path(path), folder, stem)]
    if tests or folder == Path(room):
        return tests
    beside = [path for path in tests_in(folder) if Path(path).parent == folder]
    return beside or tests_in(folder)


def _is_about(test, folder, stem):
    name = test.stem.removeprefix("test_")
    has_name = name == stem or name.startswith(f"{stem}_") or stem.startswith(f"{name}_")
    return has_name or (folder / stem) in test.parents


def tests_of_vendor(name):
    """Return what tests of several vendors, and the vendor's page, say about one."""
    found = []
    for path in CONTRACTS:
        for node in ast.parse(_texts_of_tests()[path]).body:
            is_of_vendor = isinstance(node, ast.ClassDef) and re.match(
                rf"Test{name}(?![a-z])", node.name, re.IGNORECASE
            )
            if is_of_vendor:
                found.append(f"{path}::{node.name}")
    own = ROOT / f"tests/vendors/{name}.py"
    declared = own.read_text(encoding="utf-8") if own.is_file() else ""
    for path, constant in zip(CONTRACTS, ("CONTRACT", "DOCUMENTED"), strict=True):
        if re.search(rf"^    {constant} = ", declared, re.MULTILINE):
            found.append(f"{path}::Test{name.title()}")
    if (ROOT / f"docs/vendors/{name}.md").is_file():
        found.append(PAGE.format(page=f"docs/vendors/{name}.md"))
    return found


def tests_of_backend(name):
    folder = tests_in(f"tests/backends/{name}")
    own_files = [path for path in tests_in("tests/backends") if f"/test_{name}" in path]
    return [*folder, *own_files, *tests_of_vendor(name)]


def _module_of(file):
    """Return the dotted name of a module; None of a package, which too many tests name."""
    for number, part in enumerate(file.parts):
        if file.stem != "__init__" and re.fullmatch("facematch_[a-z_]+", part):
            return ".".join(file.with_suffix("").parts[number:])
    return None


def tests_that_name(path):
    """Return the tests and the pages that name a file, or the folder of one that is no module."""
    file = Path(path)
    names = [path]
    if _module_of(file):
        names.append(f"::: {_module_of(file)}")
    elif len(file.parts) > 2:
        names.append(file.parent.as_posix())
    pattern = re.compile("|".join(rf"(?<![\w/]){re.escape(name)}(?![\w/])" for name in names))

    def is_named_in(text):
        return any(name in text for name in names) and pattern.search(text)

    found = [test for test, text in _texts_of_tests().items() if is_named_in(text)]
    for page in sorted((ROOT / "docs").rglob("*.md")):
        if is_named_in(page.read_text(encoding="utf-8")):
            found.append(PAGE.format(page=page.relative_to(ROOT).as_posix()))
    return found


def _tests_of_tests(file):
    """Return the tests that use a helper, a fixture or a kept text."""
    if file.parts[:2] == ("tests", "vendors"):
        mock = tests_in(f"tests/mock_server/vendors/{file.stem}")
        return [*mock, *tests_of_backend(file.stem), ANSWERS]
    if file.parts[:2] == ("tests", "kit"):
        module = ".".join(file.with_suffix("").parts[1:])
        name = rf"\b{re.escape(module)}\b|\bfrom kit import [^\n]*\b{re.escape(file.stem)}\b"
        return [test for test, text in _texts_of_tests().items() if re.search(name, text)]
    folder = file.parent.parent if file.parent.name == "golden" else file.parent
    tests = tests_in(folder.as_posix())
    name = re.compile(rf"\b{re.escape(file.stem)}[\"'.]")
    return [test for test in tests if name.search(_texts_of_tests()[test])] or tests


def tests_of_package(package, room, file):
    """Return the mirror of a file, and the tests of what other files keep of it."""
    inner = file.relative_to(package)
    tests = ELSEWHERE.get(file.parent.as_posix()) or mirror_of(room, inner.parts[:-1], inner.stem)
    if not tests and _module_of(file):
        # A module beside the folders may have its tests in any file of the room.
        name = re.compile(rf"\b{re.escape(_module_of(file))}\b")
        tests = [test for test in tests_in(room) if name.search(_texts_of_tests()[test])]
    if inner.parts[0] == "vendors" and len(inner.parts) > 2:
        tests = [*tests, *tests_of_vendor(inner.parts[1]), ANSWERS]
    return [*tests, SHAPES] if file.suffix == ".py" else tests


def tests_of(path):
    """Return the tests about one file, as arguments of pytest."""
    file = Path(path)
    if file.parts[0] == "tests" and file.match("test_*.py"):
        return [path]
    if file.parts[0] == "tests":
        return _tests_of_tests(file)
    if file.suffix == ".md" and file.parts[0] in ("docs", "README.md"):
        return ["tests/docs/test_pages.py", PAGE.format(page=path), *tests_that_name(path)]
    tests = tests_that_name(path)
    if file.parts[0] == "backends":
        vendor = file.parts[1].removeprefix("facematch_")
        return [*tests_of_backend(vendor), SHAPES, *tests]
    for package, room in ROOMS.items():
        if path.startswith(f"{package}/"):
            return [*tests_of_package(package, room, file), *tests]
    return tests


def changed_files():
    """Return the files that differ from the last commit, or are new."""
    changed = ["git", "diff", "--name-only", "--diff-filter=d", "HEAD"]
    new = ["git", "ls-files", "--others", "--exclude-standard"]
    files = []
    for command in (changed, new):
        answer = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        files += answer.stdout.splitlines()
    return files


def choose(files):
    """Return the tests about several files, each once; a whole file stands for its parts."""
    tests = dict.fromkeys(test for path in files for test in tests_of(path))
    return [test for test in tests if "::" not in test or test.partition("::")[0] not in tests]


def main(arguments):
    files = arguments or changed_files()
    tests = choose(files)
    if not tests:
        sys.exit(f"No test is about {', '.join(files) or 'nothing: no file differs'}: make test")
    print("\n".join(tests))


if __name__ == "__main__":
    main(sys.argv[1:])
