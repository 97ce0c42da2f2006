"""Each option that names a file to write creates its folder, or is refused before any work."""

from pathlib import Path

import pytest

PAIRS = "probe,reference,same,probe_subject,reference_subject\na.png,b.png,1,ann,ann\n"
SCORES = "image1,image2,label,score\n" + "".join(
    f"a{at},b{at},{at % 2},{40 + at + 20 * (at % 2)}\n" for at in range(60)
)

#: The words before the file, and the file's suffix. None of the logs exists: they are read later.
OUTPUTS = [
    ("verify --pairs pairs.csv --out", ".jsonl"),
    ("demo --out", ".html"),
    ("demo --copy", ""),
    ("cards make p1 --out", ".png"),
    ("compare draw people --out", ".csv"),
    ("compare run pairs.csv --backend local --store", ".sqlite3"),
    ("compare report --scores scores.csv --out", ".html"),
    ("compare report --scores scores.csv --wrong", ".csv"),
    ("compare report --scores scores.csv --answers", ".csv"),
    ("compare shadow no.sqlite3 --out", ".html"),
    ("compare shadow no.sqlite3 --review", ".csv"),
    ("compare drift no.sqlite3 --out", ".html"),
]


@pytest.fixture(autouse=True)
def inputs(tmp_path, monkeypatch):
    monkeypatch.setenv("DIDIT_API_KEY", "key")
    for name, text in {
        "pairs.csv": PAIRS,
        "scores.csv": SCORES,
        "facematch.toml": '[profiles.shop]\nbackend = "didit"\n',
        "a.png": "x",
        "b.png": "x",
        "file": "mine",
    }.items():
        (tmp_path / name).write_text(text)
    return {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize(("words", "suffix"), OUTPUTS, ids=[words for words, _ in OUTPUTS])
def test_a_file_that_cannot_be_written_is_refused_before_any_work(
    words, suffix, inputs, run, tmp_path
):
    option = words.split()[-1]
    target = Path("file", f"below{suffix}")
    answer = run(f"{words} {target}")
    assert answer.exit_code == 2
    assert answer.stderr.splitlines()[-1].startswith(f"error: {option}: {target} cannot be written")
    assert {path.name for path in tmp_path.iterdir()} == inputs


@pytest.mark.parametrize(
    ("words", "target"),
    [
        ("cards make p1 --out", "new/folder/p1.png"),
        ("compare run drawn.csv --backend local --store", "new/folder/run.sqlite3"),
        ("compare report --scores scores.csv --out", "new/folder/report.json"),
    ],
)
def test_a_missing_folder_is_created(words, target, run, photos, tmp_path):
    selfie, document = photos
    (tmp_path / "drawn.csv").write_text(
        f"probe,reference,same,probe_subject,reference_subject\n{selfie},{document},1,grace,grace\n"
    )
    answer = run(f"{words} {target}")
    assert (tmp_path / target).is_file(), answer.output
