"""The counting of the house, on trees of a few files."""

import pytest
from house import house


@pytest.fixture
def tree(tmp_path):
    def write(files):
        for name, text in files.items():
            path = tmp_path / "facematch_core" / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path / "facematch_core"

    return write


@pytest.mark.parametrize(
    ("path", "room"),
    [
        ("facematch_core/models.py", "core"),
        ("facematch_core/cli/app.py", "cli"),
        ("facematch_core/cli/new_backend_template/README.md.txt", "templates and examples"),
        ("facematch_core/store/sql.py", "resilience and store"),
        ("backends/facematch_didit/wire.py", "didit"),
        ("backends/facematch_azure/backend.py", "backends"),
        ("tests/kit/fakes.py", "tests"),
        ("benchmarks/coverage.py", None),
    ],
)
def test_each_file_is_in_one_room(path, room):
    assert house.room_of(path) == room


def test_lines_are_counted_by_room_and_ending(tmp_path):
    files = {
        "facematch_core/a.py": 3,
        "facematch_core/a.toml": 2,
        "mock_server/b.py": 4,
        "tests/c.py": 5,
        "docs/examples/d/e.md": 6,
        "docs/f.md": 7,
    }
    for name, number in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("one two\n" * number)
    lines = house.count_lines(tmp_path, files)
    assert {name: number for name, number in lines.items() if number} == {
        "core: lines of .py": 3,
        "core: lines of other endings": 2,
        "mock: lines of .py": 4,
        "tests: lines of .py": 5,
        "templates and examples: lines": 6,
        "product: lines of .py": 7,
        "product: files of .py": 2,
    }
    assert house.count_words(tmp_path, files) == 2 * (6 + 7)


def test_arrows_and_floors_count_every_import(tree):
    files = {
        "__init__": "from .a import x\n",
        "a": "from . import b\nfrom .c import y\n",
        "b": "def f():\n    import facematch_core.c\n",
        "c": "",
        "d/__init__": "",
        "d/e": "from facematch_core import a\nfrom ..b import f\nfrom . import g\n",
        "d/h": "import os\n",
    }
    package = tree(files)
    arrows = house.read_arrows(package)
    assert arrows == {"a": {"b", "c"}, "b": {"c"}, "c": set(), "d": {"a", "b"}}
    assert house.count_floors(arrows) == 4
    with pytest.raises(RecursionError):
        house.count_floors({"a": {"b"}, "b": {"a"}})


def test_what_is_above_its_budget_is_named_with_both_numbers():
    (complaint,) = house.complaints(
        {"core: lines of .py": 1201, "cli: lines of .py": 7},
        {"core: lines of .py": 1200, "cli: lines of .py": 9},
    )
    assert complaint.startswith("core: lines of .py: 1,201, and its budget is 1,200.")
    assert [*house.complaints({"a new room": 1}, {})]
