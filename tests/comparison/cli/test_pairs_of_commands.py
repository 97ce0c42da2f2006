"""Each file that a command writes, given to each command that reads one."""

import shutil

import numpy as np
import pytest
from kit.comparison.logs import simulate_month
from kit.comparison.tables import crowd
from kit.fakes import FakeBackend, open_always

import facematch_core as fm
from facematch_comparison import export
from facematch_core import Environment

PAIRS = "probe,reference\nselfie.jpg,id.jpg\nid.jpg,third.jpg\n"
LOGGED = "calls.sqlite3"

#: What writes each file.
WRITERS = {
    "drawn.csv": "compare draw faces --mated 3 --non-mated 6 --out drawn.csv",
    "study.sqlite3": "compare run drawn.csv --backend fake --store study.sqlite3 --yes",
    "wrong.csv": "compare report --scores s.csv --wrong wrong.csv",
    "wrong.json": "compare report --scores s.csv --wrong wrong.json",
    "answers.csv": "compare report --scores s.csv --answers answers.csv",
    "answers.parquet": "compare report --scores s.csv --answers answers.parquet",
    "report.json": "compare report --scores s.csv --out report.json",
    "report.html": "compare report --scores s.csv --out report.html",
    "review.csv": f"compare shadow {LOGGED} --review review.csv",
    "shadow.json": f"compare shadow {LOGGED} --out shadow.json",
    "drift.json": f"compare drift {LOGGED} --system didit --out drift.json",
    "results.csv": "verify --pairs pairs.csv --backend fake --yes --out results.csv",
    "results.jsonl": "verify --pairs pairs.csv --backend fake --yes --out results.jsonl",
    LOGGED: None,
}

REPORT = "compare report --scores FILE"
#: What reads a file, in place of FILE.
READERS = (
    REPORT,
    "compare report --scores s.csv --wrong w.csv --pairs FILE",
    "compare report --store FILE",
    "compare gate --scores s.csv --requirements FILE",
    "compare draw faces --mated 3 --non-mated 6 --groups FILE --out d.csv",
    "compare run FILE --backend fake --store new.sqlite3 --yes",
    "compare shadow FILE",
    f"compare shadow {LOGGED} --review FILE",
    f"compare shadow {LOGGED} --review new.csv --refs FILE --key-file key",
    "compare drift FILE --system didit",
    "compare review FILE --pictures faces",
    "verify --pairs FILE --backend fake --yes --out r.csv",
)
#: Files of another one's form, which only the reader of all forms could take for something else.
OF_ONE_FORM = ("wrong.json", "answers.parquet", "shadow.json", "drift.json")


@pytest.fixture
def faces(photos, tmp_path):
    """Three people with two photographs each."""
    for person in "abc":
        (tmp_path / "faces" / person).mkdir(parents=True)
        for number, photo in enumerate(photos):
            shutil.copy(photo, tmp_path / "faces" / person / f"{number}.jpg")


@pytest.fixture
def written(run, faces, photos, monkeypatch, tmp_path):
    """Every file of `WRITERS`."""
    vendor = FakeBackend(environment=Environment.MOCK)
    open_always(monkeypatch, vendor)
    shutil.copy(photos[0], "third.jpg")
    (tmp_path / "pairs.csv").write_text(PAIRS)
    (tmp_path / "key").write_text("key-canary-9a7e")
    (tmp_path / "key").chmod(0o600)
    export([crowd("one", people=20)], tmp_path / "s.csv")
    with fm.CallLog(f"sqlite:///{LOGGED}", key="key-canary-9a7e") as log:
        for row in simulate_month(np.random.default_rng(7), calls=80, people=60).rows():
            log.add(row)
    for name, command in WRITERS.items():
        if command is not None:
            answer = run(command)
            assert (tmp_path / name).exists(), (command, answer.output)
    return {name: (tmp_path / name).read_bytes() for name in WRITERS}


def test_each_file_is_private_and_read_by_each_command_or_refused_by_its_name(
    run, written, tmp_path
):
    for name in written:
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600, name
    there = {*tmp_path.iterdir()}
    read = set()
    for name in written:
        for reader in [REPORT] if name in OF_ONE_FORM else READERS:
            if name == "review.csv" and reader.startswith("compare review"):
                continue  # the page to label is served until Ctrl-C
            for made in {*tmp_path.iterdir()} - there:
                made.unlink()
            answer = run(reader.replace("FILE", name))
            case = (name, reader, answer.exit_code, answer.stderr[-600:])
            assert answer.exit_code in (0, 2, 3), case
            assert (tmp_path / name).read_bytes() == written[name], case
            if answer.exit_code == 2:
                stem, _, suffix = name.partition(".")
                assert stem in answer.stderr or f"not .{suffix}" in answer.stderr, case
            else:
                read.add((name, reader.split()[1]))
    assert read == {
        ("drawn.csv", "run"),
        ("drawn.csv", "--pairs"),
        ("results.csv", "--pairs"),
        ("study.sqlite3", "report"),
        ("answers.csv", "report"),
        ("answers.parquet", "report"),
        ("review.csv", "shadow"),
        (LOGGED, "shadow"),
        (LOGGED, "drift"),
    }
