"""The documentation as a whole: complete, linked, short enough, and a site that builds."""

import ast
import importlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import attrs
import pytest
from kit.contract import rules
from kit.pages import check_part
from kit.vendors import BUNDLED_VENDORS

import facematch_core
from facematch_comparison.cli.list_prices import read_facts
from facematch_core.cli.app import BUNDLED, COMMANDS
from facematch_core.config import opening as config
from facematch_didit import DiditOptions
from facematch_mock_server.vendors import all_claims, vendor_named, vendor_names

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PROJECT = ROOT / "pyproject.toml"
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
CODE = ("facematch_core", "backends", "comparison", "mock_server")
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


def test_every_supported_python_is_tested_and_gets_each_extra():
    supported = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', PROJECT.read_text())
    for workflow in ("ci", "release"):
        text = (ROOT / f".github/workflows/{workflow}.yml").read_text()
        assert f"python: {json.dumps(supported)}\n" in text, workflow


def test_readme_begins_with_two_doors():
    text = README.read_text()
    lines = text.splitlines()
    first_screen = "\n".join(lines[:40])
    for word in ("`make demo`", "`make test`", "mock --door --any-key -- npm test", "door]"):
        assert word in first_screen
    beginning = "\n".join(lines[:55])
    for word in (
        "mock --door --any-key -- npm test",
        "console.png",
        "facematch drill",
        "(didit_mock)",
    ):
        assert word in beginning
    for word in ("Python 3.11", "100 MB"):
        assert word in text


#: The vendors that the first sentence names, as it names them.
NAMED = "Onfido, Veriff, Sumsub, Persona, Stripe Identity, Didit, Rekognition, Azure Face"
NUMBERS = {7: "seven", 8: "eight", 9: "nine", 10: "ten", 11: "eleven", 12: "twelve"}


@pytest.mark.parametrize("file", ["README.md", "docs/index.md", "pyproject.toml", "mkdocs.yml"])
def test_the_first_sentence_names_vendors_and_counts_the_others(file):
    servers = set(vendor_names())
    assert {info.name for info in facematch_core.available_backends()} - servers == {"local"}
    named = NAMED.split(", ")
    for name in named:
        assert any(name.partition(" ")[0].lower() == server for server in servers), name
    others = NUMBERS[len(servers) - len(named)]
    text = " ".join((ROOT / file).read_text().split())
    beginning = text if file.endswith((".toml", ".yml")) else text[:200]
    assert f"{NAMED} and {others} more, as a server on your machine" in beginning


#: What a page installs from a copy of the project, up to a comment.
OWN_INSTALL = re.compile(
    r'pip install ("?\.(?:\[|"| ).*?|PATH_TO_FACEMATCH.*?)(?=`|  #|$)', re.MULTILINE
)
#: A reader's own project, and what the image of an application needs.
OTHER_INSTALLS = ('".[dev]"', '".[postgres]" fastapi python-multipart uvicorn')
#: Code that needs an extra. Each page has it as a program, a test or a command.
NEEDS_EXTRA = {
    "compare": r"facematch compare|facematch_comparison",
    "door": r"facematch (drill|parity)|--door|mock_door",
    "local": r'open_verifier\("local"|facematch demo|LocalBackend',
    "postgres": r"docs/examples/shop",
    "mock": r"facematch (mock|cards)|facematch_mock_server|_(mock|server)\b",
    "rekognition": r'open_(verifier|sessions)\(\s*"rekognition"|examples/shop"',
    "store": r"\b(SessionStore|CheckStore|CallLog|SqlStore)\b",
    "testing": r"pytest|facematch_core\.testing",
}


def packages_of(extras):
    """The packages that some extras install, also by the extras that they name."""
    table = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"]
    found = set()
    for extra in extras:
        for package in table[extra]:
            named = re.fullmatch(r"facematch-core\[(.+)\]", package)
            found |= packages_of(named[1].split(",")) if named else {package}
    return found


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.stem)
def test_a_page_installs_what_its_code_needs_and_no_more(page):
    """`local` is a distribution of its own; the extra `door` may stand where `mock` would do."""
    text = page.read_text()
    lines = [line.strip() for line in OWN_INSTALL.findall(text)]
    lines = [line for line in lines if line not in OTHER_INSTALLS]
    if not lines:
        return
    installed = {extra for line in lines for extra in re.findall(r"[\w]+(?=[,\]])", line)}
    if any(line.endswith("./backends/facematch_local") for line in lines):
        installed.add("local")
    code = "\n".join(re.findall(r"(?ms)^ *```.*?^ *```$", text))
    needed = {extra for extra, words in NEEDS_EXTRA.items() if re.search(words, code)}
    assert packages_of(needed) <= packages_of(installed)
    if "mock" in needed:
        needed.add("door")
    assert packages_of(installed) <= packages_of(needed)


def test_readme_lists_every_bundled_backend():
    text = README.read_text()
    for info in facematch_core.available_backends():
        if info.distribution == "facematch-core":
            assert f"[`{info.name}`](docs/vendors/{info.name}.md)" in text, info.name


def test_each_of_forty_questions_names_vendors_of_ours_and_a_rule():
    page = (DOCS / "extend" / "what-to-look-for.md").read_text()
    questions = re.findall(r"(?ms)^(\d+)\. \*\*([^*]+\?)\*\*(.*?)(?=^\d+\. |^## |\Z)", page)
    assert [int(number) for number, _, _ in questions] == list(range(1, 41))
    titles = [vendor_named(name).title for name in vendor_names()]
    names = {word.split()[0] for word in titles} | {"AWS", "Rekognition"}
    for number, _, answer in questions:
        assert any(name in answer for name in names), f"question {number} names no vendor of ours"
        named = set(re.findall(r"R\d\d", answer))
        assert named or "No rule:" in answer, f"question {number} names no rule"
        assert named <= set(rules()), f"question {number}"
    # Each rule of the contract checks an answer.
    assert set(re.findall(r"R\d\d", page)) == set(rules())


def test_each_option_of_didit_is_among_what_is_sent():
    privacy = (DOCS / "apps" / "privacy.md").read_text()
    (row,) = re.findall(r"(?m)^\| `didit` \|.*", privacy)
    assert [
        field.name for field in attrs.fields(DiditOptions) if f"`{field.name}`" not in row
    ] == []


#: What a page shows of a program that has tests of its own: the file, and a name in it or all.
SHOWN = [
    ("let-the-vendor-look", "shop/app.py", "start"),
    ("let-the-vendor-look", "shop/app.py", "webhook"),
    ("let-the-vendor-look", "shop/worker.py", "look"),
    ("let-the-vendor-look", "shop/faces.py", "use_payout"),
    ("when-the-answer-is-review", "shop/desk.py", "decide"),
    ("whole-application", "shop/faces.py", "Faces"),
    ("whole-application", "shop/faces.py", "use_signup"),
    ("answer-a-web-form", "flask_and_django/faces.py", "verify"),
    ("answer-a-web-form", "flask_and_django/faces.py", "refused"),
    ("answer-a-web-form", "flask_and_django/flask_app.py", ""),
    ("answer-a-web-form", "flask_and_django/face_site.py", "FaceMiddleware"),
    ("answer-a-web-form", "flask_and_django/face_site.py", "verifications"),
    ("answer-a-web-form", "flask_and_django/face_site.py", "accounts"),
]


def source_of(text, name):
    (node,) = (node for node in ast.parse(text).body if getattr(node, "name", None) == name)
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return "".join(text.splitlines(keepends=True)[first - 1 : node.end_lineno])


@pytest.mark.parametrize(("page", "file", "name"), SHOWN)
def test_a_page_shows_code_that_is_tested_elsewhere(page, file, name):
    """``UPDATE_DOCS=1`` writes it into the page."""
    text = (DOCS / "examples" / file).read_text()
    code = source_of(text, name) if name else text
    note = "<!-- not run: tested elsewhere -->"
    mark = f"{file.rpartition('/')[2]} {name}".rstrip()
    check_part(f"apps/{page}.md", mark, f"{note}\n```python\n{code}```")


MODULES = [
    "facematch_core",
    "facematch_core.backend",
    "facematch_core.http",
    "facematch_core.resilience",
    "facematch_core.testing",
    "facematch_mock_server",
]
MODULES += [path.parent.name for path in ROOT.glob("backends/*/__init__.py")]


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_in_the_reference(module):
    text = "\n".join(page.read_text() for page in REFERENCE.glob("*.md"))
    names = importlib.import_module(module).__all__
    assert not [name for name in names if not re.search(rf"\b{name}\b", text)]


def test_every_key_of_a_profile_and_every_command_is_in_the_reference():
    configuration = (REFERENCE / "configuration.md").read_text()
    keys = ["backend", *config.VERIFIER_KEYS, *config.SESSION_KEYS]
    assert not [key for key in keys if f"| `{key}` |" not in configuration]
    assert f"`{config.CONFIG_VARIABLE}`" in configuration
    commands = (REFERENCE / "cli.md").read_text()
    headings = ", ".join(re.findall(r"^## (.+)", commands, re.MULTILINE)).split(", ")
    assert {f"facematch {name}" for name in (*COMMANDS, *BUNDLED)} <= set(headings)


def test_the_number_of_rules_is_right():
    number = f"{len(rules())} rules"
    assert set(re.findall(r"\d+ rules", (DOCS / "index.md").read_text())) == {number}


def test_every_logger_that_a_page_names_exists():
    """And is named: one that has to be guessed from the sentence before cannot be checked."""
    sources = [path.read_text() for top in CODE for path in (ROOT / top).rglob("*.py")]
    used = {name for text in sources for name in re.findall(r'getLogger\("([^"]+)"\)', text)}
    texts = [page.read_text() for page in (README, *DOCS.rglob("*.md"))]
    named = {name for text in texts for name in re.findall(r"\bloggers? `([^`]+)`", text)}
    assert "facematch" in named
    assert named <= used
    assert not any("logger of that name" in text for text in texts)


@pytest.mark.parametrize(
    "page", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs"]
)
def test_links_and_pictures_exist_in_the_repository(page):
    """Without the site: it has pages of its own, made from files of the repository."""
    path = ROOT / page
    for file in [path] if path.is_file() else path.rglob("*.md"):
        text = file.read_text()
        for link in LINK.findall(text) + re.findall(r'src="([^"]+)"', text):
            if not link.startswith(("https://", "<")):
                assert (file.parent / link).exists(), f"{file}: {link}"


def anchors_of(page):
    """The anchors of a page's headings, as the site and the repository make them."""
    prose = re.sub(r"(?ms)^ *```.*?^ *```$", "", page.read_text())
    headings = re.findall(r"(?m)^#+ (.+)$", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", prose))
    words = [re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in headings]
    return {re.sub(r"[-\s]+", "-", heading) for heading in words}


@pytest.mark.parametrize(
    "page", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs"]
)
def test_each_link_to_a_heading_has_one(page):
    """A dotted anchor is that of a documented object."""
    path = ROOT / page
    broken = []
    for file in [path] if path.is_file() else path.rglob("*.md"):
        for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", file.read_text()):
            if target.startswith("https://") or "." in anchor:
                continue
            if anchor not in anchors_of(file.parent / target if target else file):
                broken.append(f"{file}: {target}#{anchor}")
    assert broken == []


def built(folder, *options):
    pytest.importorskip("mkdocs")
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def searched(site):
    index = json.loads((site / "search" / "search_index.json").read_text())
    return {entry["location"].partition("#")[0] for entry in index["docs"]}


@pytest.mark.docs
def test_strict_build_fails_on_warnings_and_search_excludes_maintainer_pages(tmp_path):
    """`--strict --quiet` alone would not even count a warning. The hooks are those of the site."""
    head, _, _ = (ROOT / "mkdocs.yml").read_text().partition("exclude_docs:")
    (tmp_path / "mkdocs.yml").write_text(f"{head}\nhooks: ['{DOCS / '_hooks.py'}']\n")
    vendors = [f"vendors/{vendor}" for vendor in vendor_names()]
    for name in ("index", "maintain/index", *vendors):
        page = tmp_path / "docs" / f"{name}.md"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text("# A page\n\n## A part\n\n[nowhere](nowhere.md)\n")
    ran = built(tmp_path)
    assert ran.returncode == 1
    assert "nowhere.md" in ran.stderr
    for vendor in vendor_names():
        page = (tmp_path / "site" / "vendors" / f"{vendor}.md").read_text()
        assert not [claim.id for claim in all_claims(vendor) if f"- `{claim.id}`: " not in page]
    assert searched(tmp_path / "site") == {"index.html", *(f"{name}.html" for name in vendors)}


def test_features_of_each_backend_are_in_the_table(monkeypatch):
    monkeypatch.syspath_prepend(DOCS)
    tables = importlib.import_module("_feature_table")
    backends = {info.name for info in facematch_core.available_backends()}
    shown = {}
    for name in ("choice", "faces", "features", "limits"):
        rows = getattr(tables, f"table_of_{name}")().splitlines()[2:]
        shown[name] = {re.match(r"\| \[`(\w+)`\]", row)[1]: row for row in rows}
        assert name == "limits" or set(shown[name]) == backends
        assert list(shown[name])[:2] == ["rekognition", "onfido"], "what most programs use is first"
    assert "above the answer's own threshold" in shown["features"]["alibaba"]
    assert "| match, session |" in shown["features"]["rekognition"]
    assert "| - | session |" in shown["features"]["veriff"]
    assert "regula" not in shown["limits"], "it documents no limit"
    assert "| yes | no | liveness | no |" in shown["choice"]["rekognition"]
    assert "| no | no | liveness, match | yes |" in shown["choice"]["veriff"]


@pytest.mark.parametrize("name", ["local", *BUNDLED_VENDORS])
def test_each_vendor_has_its_facts_in_the_file_of_the_tables(name):
    facts = read_facts()
    assert name in facts, f"backends/facematch_{name}/facts.toml is missing"
    cells = {"region", "leaves", "kept", "deleting", "trial", "price", "buying"}
    if name != "local":
        cells |= {"host", "sent"}
    assert set(facts[name]) - {"programs", "prices", "facts", "web_sdk"} == cells


def test_costs_are_of_lines_that_a_vendor_or_a_dated_copy_has(monkeypatch):
    monkeypatch.syspath_prepend(DOCS)
    tables = importlib.import_module("_feature_table")
    shown = tables.table_of_costs()
    assert (
        "| a session with a document | [`stripe`](stripe.md) | USD 1,500 | USD 150,000 |" in shown
    )
    asked = [row for row in shown.splitlines() if "| ask |" in row]
    # Only others name the prices of these.
    for name in ("rekognition", "azure", "persona"):
        assert any(f"`{name}`" in row for row in asked)
        assert not any(f"`{name}`" in row for row in shown.splitlines() if "USD" in row)
    said = {"trust": "said", "price": "1", "what": "match", "per": 1, "dated": "2026"}
    assert tables.list_price({"prices": [said]}, "match") is None
    old = said | {"trust": "vendor", "dated": "before 2022-08"}
    assert tables.list_price({"prices": [old]}, "match") is None


def test_a_price_in_the_table_names_its_currency_its_page_and_its_day():
    for name, fact in read_facts().items():
        price = fact["price"]
        if re.match(r"[A-Z]{3} ", price):
            assert re.search(r"\[[^]]+\]\(https://.+\)", price), name
        else:
            assert price.startswith(("unknown", "by contract", "by licence", "nothing")), name
        if "https://" in price:
            assert re.search(r"\(\D*read \d{4}-\d\d-\d\d\)|, read \d{4}-\d\d-\d\d\)", price), name


@pytest.mark.docs
def test_tables_are_rendered_as_tables():
    markdown = pytest.importorskip("markdown")
    extensions = ["admonition", "attr_list", "tables", "pymdownx.superfences"]
    reader = markdown.Markdown(extensions=extensions)
    for page in [README, *DOCS.rglob("*.md")]:
        shown = reader.reset().convert(page.read_text(encoding="utf-8"))
        text = re.sub(r"(?s)<(pre|code)\b.*?</\1>", "", shown)
        assert not re.findall(r"(?m)^\s*(?:<[^>]*>)*\|.*", text), page


@pytest.mark.long
def test_the_site_builds_silently_and_loads_no_other_host(tmp_path):
    ran = built(ROOT, "--site-dir", tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout + ran.stderr == ""
    didit = (tmp_path / "vendors" / "didit.html").read_text()
    assert "didit.auth.expired" in didit.partition("<details")[2], "claims are folded"
    index = (tmp_path / "search" / "search_index.json").read_text()
    assert "didit.auth.expired" not in index
    results = (tmp_path / "reference" / "verifier.html").read_text()
    assert "No pair of faces could be scored, so" in results, "a comment is no docstring"
    loaded = re.compile(
        r"<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)=\"?((?:https?:)?//[^\">]+)"
    )
    for page in tmp_path.rglob("*.html"):
        assert not loaded.findall(page.read_text()), page.name
    assert not [page for page in searched(tmp_path) if page.startswith("maintain/")]
    listed = re.findall(r"(?m)^- \[.+\]\((.+)\)$", (tmp_path / "llms.txt").read_text())
    assert {"index.md", "test/test-offline.md", "vendors/index.md", "CHANGELOG.md"} <= {*listed}
    for page in listed:
        text = (tmp_path / page).read_text()
        assert not re.search(r"(?m)^:::", text), page
        for link in LINK.findall(text):
            target = (tmp_path / page).parent / link
            assert link.startswith("https://") or target.exists(), f"{page}: {link}"
    assert (
        "`python -m pydoc facematch_core.FaceVerifier`"
        in (tmp_path / "reference/verifier.md").read_text()
    )
    shown = {picture.name for picture in (tmp_path / "photographs").iterdir()}
    assert shown == {
        "eileen-collins.jpg",
        "grace-hopper-card.jpg",
        "grace-hopper.jpg",
        "no-face-cat.jpg",
    }


def test_each_promise_names_tests_and_modules_that_exist():
    page = (DOCS / "apps" / "threat-model.md").read_text(encoding="utf-8")
    places = re.findall(r"`((?:tests|facematch_core|backends|mock_server)/[^`]+)`", page)
    text = (ROOT / "tests" / "README.md").read_text(encoding="utf-8")
    promises = text.partition("\n## Tests of each promise\n")[2]
    places += [f"tests/{place}" for place in re.findall(r"`([^`]+)`", promises)]
    assert len(places) > 40
    assert [place for place in places if not (ROOT / place).exists()] == []
    assert set(re.findall(r"\*\*([^*(]+)\*\*", page)) <= set(re.findall(r"\*\*(.+)\*\*", promises))


def test_each_home_of_a_behaviour_exists():
    missing = []
    for line in (ROOT / "tests" / "README.md").read_text(encoding="utf-8").splitlines():
        folder = ROOT / "tests"
        for place in re.findall(r"`([a-z_/0-9]+(?:\.py|/))`", line):
            # Further files of a row are in the folder of the first one.
            folder = (ROOT / "tests" / place).parent if "/" in place else folder
            if not (folder / Path(place).name).exists():
                missing.append(place)
    assert missing == []
