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

    from facematch_core.cli.app import facematch

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


def test_it_is_short(report):
    """At most 40 lines, none longer than a wide terminal but for places that it names."""
    lines = report[1].splitlines()
    assert len(lines) <= 40
    # Below it the program is named, by its own place.
    shown = [line for line in lines[: lines.index("Next:")] if str(DOCS) not in line]
    assert max(len(line) for line in shown if "report.html" not in line) <= 110


@pytest.mark.parametrize("found", [True, False])
def test_ends_with_what_comes_next(found, run, monkeypatch):
    """The last lines are what a newcomer wants next, typed so that the shell finds them."""
    monkeypatch.setattr("shutil.which", lambda name: "/bin/facematch" if found else None)
    monkeypatch.setattr("sys.argv", [".venv/bin/facematch", "demo"])
    last = run("demo", "--out", "r.html").stdout.splitlines()[-7:]
    command = "facematch" if found else ".venv/bin/facematch"
    assert last[0] == "The pairs as pictures, in your browser: r.html"
    assert last[1:3] == ["", "Next:"]
    assert all(line.startswith(f"  {command} ") for line in last[3:])
    assert f"{command} verify selfie.jpg id.jpg " in last[3]
    assert last[3].endswith("your own selfie.jpg and id.jpg")
    assert f"{command} mock --port 8080 " in last[5]
    assert last[5].endswith("its console: http://127.0.0.1:8080/")


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
    assert len(page.of("section")) == 13
    # Two faces in the grid and one drawing, each.
    assert len(page.of("img")) == 3 * 13
    assert all(image["alt"].strip() for image in page.of("img"))
    assert all({"width", "height"} <= set(image) for image in page.of("img"))
    assert {link["href"] for link in page.of("a")} == {f"#{s['id']}" for s in page.of("section")}
    assert any("width=device-width" in meta.get("content", "") for meta in page.of("meta"))
    for query in ("prefers-color-scheme: dark", "@media print", "max-width: 34rem"):
        assert query in report[0]


def test_page_explains(report):
    """Score, threshold and limits are explained, and the errors are called that."""
    words = " ".join(Page(report[0]).words)
    assert "It is no probability" in words
    assert "10 are right, 3 are wrong and marked" in " ".join(words.split())
    assert "Different people, and this engine says they match" in words


def test_page_opens_with_the_faces(report):
    """Before the table: every pair with both faces, verdict, score, and which ones are wrong."""
    first, _ = report[0].split("<table>")
    tiles = re.findall(r'<li class="(is-wrong)?"><a href="#pair-(\d+)">(.*?)</a></li>', first)
    assert [number for _, number, _ in tiles] == [str(number) for number in range(1, 14)]
    for wrong, _, tile in tiles:
        words = " ".join(" ".join(Page(tile).words).replace("\xa0", " ").split())
        assert len(Page(tile).of("img")) == 2
        assert re.search(r"= MATCH \d+\.\d+|≠ NO MATCH \d+\.\d+|\? INCONCLUSIVE", words)
        if wrong:
            assert re.search("✗ WRONG: different people known limit: .*(sister|woman)", words)
        else:
            assert "✓ right" in words
    assert sum(bool(wrong) for wrong, _, _ in tiles) == 3
    assert "How to read it" in first


def test_several_faces_and_none(report):
    """Of a group all faces are shown, and which one was compared; a cat has none."""
    shown = [image["alt"] for image in Page(report[0].split("<table>")[0]).of("img")]
    assert "four-people.jpg: 4 faces, the largest in a yellow box" in shown
    assert "no-face-cat.jpg: no face found" in shown
    assert shown.count("Family1-Dad1.jpg: the face") == 2


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


def test_surprise_is_marked(run, own):
    """In the page too, with what is true."""
    run("demo", "--photographs", own("same"), "--out", "r.html")
    text = Path("r.html").read_text()
    assert "WRONG: the same person</span><br>unexpected: &lt;b&gt;two" in text
    assert "0 are right" in text
    assert ">1 is wrong</b>" in text


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
    assert "all are right" in text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--photographs", "nowhere"], "nowhere/pairs.csv cannot be read as CSV"),
        (["--photographs", "own"], "expected must be one of same, different, no face, limit"),
        (["--out", "own"], "--out names a folder"),
        (["--out", "own/pairs.csv"], "--out writes .html or .htm: give the file such a suffix"),
        (["--out", "own/mine.html"], "own/mine.html exists and is not a report of facematch"),
        (["--out", "/dev/null"], "/dev/null exists and is not a report of facematch"),
        (["--out", "x" * 300], "cannot be written: File name too long"),
        (["--out", "own/pairs.csv/r.html"], "cannot be written: Not a directory"),
        (["--copy-photographs", "x", "--out", "r.html"], "compares nothing: use it alone"),
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
        assert f"<pre>{shown} verify selfie.jpg id.jpg " in Path("r.html").read_text()


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
