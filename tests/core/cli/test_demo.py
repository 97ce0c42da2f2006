"""`facematch demo`: real pictures, an honest table, a page that asks nobody for anything."""

import csv
import html
import html.parser
import re
import shutil
from pathlib import Path

import pytest

from facematch_core.cli.demo import EXPECTED, PACKAGED

DOCS = Path(__file__).parents[3] / "docs" / "photographs"
REMOTE = ("http:", "https:", "//", "ftp:")


class Page(html.parser.HTMLParser):
    """What a page consists of."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.words = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    def of(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The page over the photographs of the documentation, and what was printed."""
    from click.testing import CliRunner

    from facematch_core.cli._app import facematch

    out = tmp_path_factory.mktemp("demo") / "deep" / "report.html"
    words = ["demo", "--photographs", str(DOCS), "--out", str(out)]
    answer = CliRunner().invoke(facematch, words)
    assert answer.exit_code == 0, answer.output
    assert [path.name for path in out.parent.iterdir()] == ["report.html"]
    return out.read_text(encoding="utf-8"), answer.stdout


def test_table_is_honest(report):
    """Every kind of pair is there, and the known errors are marked as errors."""
    _, printed = report
    rows = [line for line in printed.splitlines() if re.match(r"\d+ {2,}", line)]
    assert len(rows) == 13
    assert sum("right" in row for row in rows) == 10
    siblings = [row for row in rows if "sister and brother" in row]
    assert len(siblings) == 2
    for row in siblings:
        assert "different" in row
        assert "  MATCH" in row
        assert row.endswith("WRONG (known limit)")
    assert "3 of them are shown because the engine gets them wrong" in printed
    assert any("INCONCLUSIVE" in row and "no face" in row for row in rows)


@pytest.mark.parametrize("found", [True, False])
def test_ends_with_three_commands(found, run, monkeypatch):
    """The last lines are what a newcomer wants next, typed so that the shell finds them."""
    monkeypatch.setattr("shutil.which", lambda name: "/bin/facematch" if found else None)
    monkeypatch.setattr("sys.argv", [".venv/bin/facematch", "demo"])
    last = run("demo").stdout.splitlines()[-4:]
    command = "facematch" if found else ".venv/bin/facematch"
    assert last[0] == "Next:"
    assert all(line.startswith(f"  {command} ") for line in last[1:])


def test_page_makes_no_request(report):
    """No script, no address of another host, in elements or in styles."""
    page = Page(report[0])
    assert not page.of("script")
    assert not page.of("link")
    for _, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href", "srcset", "action", "data", "poster", "content"):
                assert not str(value).lower().startswith(REMOTE)
    style = report[0].split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in page.of("img"))


def test_page_can_be_read_by_all(report):
    """Language, title, one h1, alternative texts, sizes; dark, print and narrow screens."""
    page = Page(report[0])
    assert page.of("html")[0]["lang"] == "en"
    assert len(page.of("h1")) == 1
    assert len(page.of("title")) == 1
    assert len(page.of("img")) == len(page.of("section")) == 13
    assert all("Family1" in i["alt"] or i["alt"].strip() for i in page.of("img"))
    assert all({"width", "height"} <= set(image) for image in page.of("img"))
    assert {link["href"] for link in page.of("a")} == {f"#{s['id']}" for s in page.of("section")}
    assert any("width=device-width" in meta.get("content", "") for meta in page.of("meta"))
    for query in ("prefers-color-scheme: dark", "@media print", "max-width: 34rem"):
        assert query in report[0]


def test_page_explains(report):
    """Score, threshold and limits are explained, and the errors are called that."""
    words = " ".join(Page(report[0]).words)
    assert "It is no probability" in words
    assert "3 came out wrong" in words
    assert "Different people whom this engine takes for one" in words


def test_packaged_photographs(run):
    """After a plain installation the packaged pairs are compared, and all come out right."""
    answer = run("demo")
    assert answer.exit_code == 0
    assert "4 pairs that come with facematch" in answer.stdout
    assert "WRONG" not in answer.stdout


def test_only_free_photographs_are_packaged():
    """Nothing but the public-domain and CC0 pictures is packaged, each told in the table."""
    pictures = {path.name for path in PACKAGED.iterdir()} - {"README.md", "pairs.csv"}
    free = {"grace-hopper.jpg", "grace-hopper-card.jpg", "eileen-collins.jpg", "no-face-cat.jpg"}
    assert pictures == free
    table = (PACKAGED / "README.md").read_text()
    assert all(f"`{name}`" in table for name in pictures)
    assert all((PACKAGED / n).read_bytes() == (DOCS / n).read_bytes() for n in pictures)


@pytest.mark.parametrize("folder", [DOCS, PACKAGED], ids=["docs", "packaged"])
def test_manifest(folder):
    """Every pair names two photographs that are there."""
    with (folder / "pairs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        assert (folder / row["probe"]).is_file()
        assert (folder / row["reference"]).is_file()
    assert {row["expected"] for row in rows} <= set(EXPECTED)


@pytest.fixture
def own(tmp_path):
    """A folder of one's own with one pair."""
    folder = tmp_path / "own"
    folder.mkdir()
    for name in ("grace-hopper", "eileen-collins"):
        shutil.copy(PACKAGED / f"{name}.jpg", folder)

    def manifest(expected, note="<b>two & two</b>"):
        (folder / "pairs.csv").write_text(
            f"probe,reference,expected,note\ngrace-hopper.jpg,eileen-collins.jpg,{expected},{note}\n"
        )
        return folder

    return manifest


def test_surprise(run, own):
    """An answer that was not expected is said, and the code is 3."""
    answer = run("demo", "--photographs", own("same"))
    assert answer.exit_code == 3
    assert "WRONG (unexpected)" in answer.stdout
    assert "1 did not come out as pairs.csv expects" in answer.stdout


def test_limit_that_is_none(run, own):
    """A known limit that the engine gets right is right, and unexpected."""
    answer = run("demo", "--photographs", own("limit"))
    assert answer.exit_code == 3
    assert "WRONG" not in answer.stdout


def test_notes_are_text(run, own, tmp_path):
    """What stands in the manifest does not become markup."""
    assert run("demo", "--photographs", own("different"), "--out", "r.html").exit_code == 0
    text = (tmp_path / "r.html").read_text()
    assert "<b>two" not in text
    assert "&lt;b&gt;two &amp; two" in text
    assert "all came out right" in text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--photographs", "nowhere"], "nowhere/pairs.csv does not exist; check the name"),
        (["--photographs", "own"], "expected must be one of same, different, no face, limit"),
        (["--out", "own"], "--out names a folder"),
        (["--out", "own/pairs.csv"], "--out writes .html or .htm, by the suffix of the file"),
        (["--out", "own/mine.html"], "own/mine.html exists and is no report of facematch"),
        (["--out", "/dev/null"], "/dev/null exists and is no report of facematch"),
        (["--out", "x" * 300], "cannot be written: File name too long"),
        (["--out", "own/pairs.csv/r.html"], "cannot be written: Not a directory"),
        (["--copy-photographs", "x", "--out", "r.html"], "compares nothing: give it alone"),
        (["--copy-photographs", "own"], "own/eileen-collins.jpg exists"),
        (["--copy-photographs", "own/pairs.csv"], "cannot be written"),
    ],
)
def test_wrong_usage(words, says, run, own):
    """A folder without a manifest, an unknown word and a file that is no report are code 2."""
    (own("unclear") / "mine.html").write_text("mine")
    answer = run("demo", *words)
    assert answer.exit_code == 2
    assert says in answer.stderr
    assert not Path("own/grace-hopper-card.jpg").exists()


def test_one_pair(run, own):
    """One pair is one, in what is printed and in the page."""
    answer = run("demo", "--photographs", own("different"), "--out", "r.html")
    assert "\n1 pair of " in answer.stdout
    text = Path("r.html").read_text()
    assert "<h1>1 pair of photographs," in text
    assert "Of 1 answer," in text


def test_report_is_replaced(run, own, monkeypatch):
    """A report may be overwritten by the next one; it says what to do next as it can be typed."""
    monkeypatch.setattr("shutil.which", lambda _name: None)
    for command in ("one & two", "bin/facematch"):
        monkeypatch.setattr("sys.argv", [command, "demo"])
        answer = run("demo", "--photographs", own("different"), "--out", "r.html")
        assert answer.exit_code == 0
        shown = html.escape(command)
        assert f"<pre>{shown} verify selfie.jpg id.jpg --picture" in Path("r.html").read_text()


def test_copy_photographs(run):
    """The four photographs are copied into a folder, which is made; the second time is refused."""
    answer = run("demo", "--copy-photographs", "new/pictures")
    assert answer.exit_code == 0
    copies = {path.name: path.read_bytes() for path in Path("new/pictures").iterdir()}
    assert copies == {path.name: path.read_bytes() for path in PACKAGED.glob("*.jpg")}
    assert answer.stdout.splitlines() == [f"new/pictures/{name}" for name in sorted(copies)]
    Path("new/pictures/no-face-cat.jpg").write_text("mine")
    assert run("demo", "--copy-photographs", "new/pictures").exit_code == 2
    assert Path("new/pictures/no-face-cat.jpg").read_text() == "mine"


def test_without_the_extra(run, monkeypatch):
    """Without the extra `local`: the backend's own sentence, and code 4."""
    import facematch_local._backend as local

    monkeypatch.setattr(local.importlib.util, "find_spec", lambda _name: None)
    answer = run("demo")
    assert answer.exit_code == 4
    assert 'pip install "facematch-core[local]"' in answer.stderr
