"""A path on the command line that is not the database a command reads."""

import sqlite3

import pytest

COMMANDS = [
    "budget --store",
    "budget reconcile --store",
    "budget resolve x charged --yes --store",
    "compare report --store",
    "compare gate --requirements sp800-63a --store",
    "compare shadow",
    "compare drift",
]


def make_other_database(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE recipes (name)")
    connection.close()


@pytest.fixture(params=["text", "another program's", "empty"])
def other_file(request, tmp_path):
    path = tmp_path / "other.sqlite3"
    if request.param == "another program's":
        make_other_database(path)
    else:
        path.write_text("a,b\n" if request.param == "text" else "")
    return path


@pytest.mark.parametrize("prefix", ["", "sqlite:///"])
@pytest.mark.parametrize("command", COMMANDS)
def test_another_file_is_wrong_usage_and_stays_as_it_is(command, prefix, other_file, run):
    before = other_file.read_bytes()
    answer = run(f"{command} {prefix}{other_file}")
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert str(other_file) in answer.stderr.replace("\n", "")
    assert other_file.read_bytes() == before
    assert list(other_file.parent.glob("other.sqlite3?*")) == []


def test_a_run_is_not_stored_in_a_file_that_is_no_database(run, tmp_path):
    other_file = tmp_path / "notes.csv"
    other_file.write_text("a,b\n")
    (tmp_path / "pairs.csv").write_text(
        "probe,reference,same,probe_subject,reference_subject\na.png,b.png,1,ann,ann\n"
    )
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"x")
    answer = run(f"compare run pairs.csv --backend local --store {other_file}")
    assert answer.exit_code == 2
    assert "not a SQLite database" in answer.stderr
    assert other_file.read_text() == "a,b\n"
