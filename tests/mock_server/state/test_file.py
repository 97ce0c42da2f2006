"""The file of a store: whose it may be, who may read it, and what happens when it fails."""

import contextlib
import os
import sqlite3
import stat

import pytest

from facematch_mock_server.sqlite import APPLICATION, VERSION, SqliteStore
from facematch_mock_server.state import StoreError


def put(store, key, value=1):
    """One record."""
    store.put("things", key, lambda: {"value": value})


def keys(store):
    """What there is."""
    return [key for key, _ in store.load("things")]


def test_a_new_file_is_its_owners_alone(opened, path):
    """With whatever SQLite puts beside it, and whatever the mask of the process allows."""
    before = os.umask(0)
    try:
        put(opened(), "a")
    finally:
        os.umask(before)
    modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()}
    assert set(modes) == {"mock.db", "mock.db-wal"}
    assert set(modes.values()) == {0o600}


def test_an_empty_file_becomes_a_store(opened, path):
    """As `mktemp` makes one; then it is its owner's alone, too."""
    path.touch(0o644)
    store = opened()
    put(store, "a")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    store.close()
    assert keys(opened()) == ["a"]


def foreign(path):
    """A database of another program."""
    with contextlib.closing(sqlite3.connect(path)) as other, other:
        other.execute("CREATE TABLE records (mine)")


def other_version(path):
    """A store of another version of ours."""
    SqliteStore(path).close()
    with contextlib.closing(sqlite3.connect(path)) as other, other:
        other.execute(f"PRAGMA user_version = {VERSION + 1}")
        other.execute("PRAGMA journal_mode = DELETE")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_bytes(b"\xff\xd8\xff" + bytes(5000)), "no store of a mock"),
        (lambda path: path.write_bytes(b"x"), "no store of a mock"),
        (lambda path: path.write_bytes(b"SQLite format 3\0"), "no store of a mock"),
        (foreign, "no store of a mock"),
        (other_version, f"of version {VERSION + 1}, and this facematch has version {VERSION}"),
    ],
    ids=["picture", "a byte", "half a header", "database", "version"],
)
def test_a_file_of_somebody_else_is_left_as_it_is(path, make, words):
    """One sentence that names it and says what to do; not a byte is changed, nothing is added."""
    make(path)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="Name another") as caught:
        SqliteStore(path)
    assert words in str(caught.value)
    assert str(caught.value).endswith(f": {path}")
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_the_number_of_a_store_is_in_its_header(opened, path):
    """From the first moment, so that a mock that was killed leaves a file that is known."""
    opened()
    head = path.read_bytes()[:100]
    assert int.from_bytes(head[68:72], "big") == APPLICATION
    assert int.from_bytes(head[60:64], "big") == VERSION


@pytest.mark.parametrize("name", ["", "no-folder/mock.db", "/dev/null"])
def test_no_place_for_a_file(tmp_path, name):
    """A folder, a folder that is not there, a device."""
    with pytest.raises(StoreError, match="store"):
        SqliteStore(tmp_path / name)


def test_a_damaged_store_is_told(opened, path):
    """In a sentence of this program, not by a trace of SQLite's."""
    opened().close()
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + b"\xff" * (len(whole) - 100))
    with pytest.raises(StoreError, match="the mock's store cannot be used"):
        SqliteStore(path)


def test_only_one_mock_has_a_store(opened, path):
    """The second one is told what to do, and the first one goes on."""
    first = opened()
    put(first, "a")
    for _ in range(2):
        with pytest.raises(StoreError, match="another mock uses this store; end that one, or name"):
            SqliteStore(path)
    put(first, "b")
    first.close()
    assert keys(opened()) == ["a", "b"]


def test_a_closed_store_takes_nothing(opened):
    """It says why; closing twice does no harm."""
    store = opened()
    store.close()
    store.close()
    with pytest.raises(StoreError, match="was closed with its mock"):
        put(store, "a")
    with pytest.raises(StoreError, match="was closed with its mock"), store.together():
        raise AssertionError("nobody comes in")


@pytest.mark.parametrize("ending", ["", "-wal"])
def test_a_file_that_was_taken_away_is_noticed(opened, path, ending):
    """What would be written nowhere is refused, and so is everything after it."""
    store = opened()
    put(store, "a")
    path.with_name(path.name + ending).unlink()
    with pytest.raises(StoreError, match="was taken away"), store.together():
        put(store, "b")
    with pytest.raises(StoreError, match="was taken away"):
        put(store, "c")


def test_a_full_disk_is_noticed(opened, path):
    """What does not fit is not there, nor is half of its unit; what was there before is."""
    store = opened()
    put(store, "a")
    store._file._connection.execute("PRAGMA max_page_count = 8")
    with pytest.raises(StoreError, match="database or disk is full"), store.together():
        put(store, "small")
        put(store, "large", "x" * 100_000)
    with pytest.raises(StoreError, match="full"), store.together():
        raise AssertionError("nobody comes in")
    store.close()
    assert keys(opened()) == ["a"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_the_child_of_a_fork_leaves_the_file_alone(opened):
    """It can neither write nor close it, and the parent goes on."""
    store = opened()
    put(store, "a")
    child = os.fork()
    if not child:
        status = 1
        with contextlib.suppress(BaseException):
            try:
                put(store, "b")
            except StoreError as error:
                status = "its child" not in str(error)
            store.close()
            store._file._connection = None  # as when the process ends
        os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    put(store, "c")
    store.close()
    assert keys(opened()) == ["a", "c"]
