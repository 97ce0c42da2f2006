"""The page: the verdict first, every number that of the document, and nothing asked of anybody."""

import base64
import hashlib
import itertools
import json
import os
import re

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kit.comparison.reading import (
    at,
    check_cells,
    check_numbers,
    document,
    html_of,
    page,
    read,
    unmarked,
)
from kit.comparison.samples import (
    ALL,
    HOSTILE,
    difference,
    estimate,
    evaluation,
    full,
    rate,
    service,
    silent,
    system,
    two,
)

import facematch_comparison.evaluation
from facematch_comparison.model import Costs, Evaluation, ExpectedCost, OperatingPoint
from facematch_comparison.report import fragment, report_html, write_report
from facematch_comparison.report.values import Node, plain
from facematch_core import ThresholdRule

every_page = pytest.mark.parametrize("name", ALL)

#: Digits that are ours and say nothing about a test set.
CONSTANT = re.compile(r"ISO/IEC 19795-10?|(90|95|99) of 100")

#: Attributes that make a browser ask somebody for something.
ASKING = {"src", "srcset", "action", "formaction", "poster", "data", "ping", "background", "cite"}


def words(element):
    return " ".join(element.text().replace("\xa0", " ").split())


def section(name, of):
    (found,) = (one for one in page(of).all("section") if one.attributes["id"] == name)
    return words(found)


def cells_of(name, root):
    """The cells of a table as texts, row by row, its heads first."""
    (table,) = (
        one
        for one in root.all("table")
        if one.parent.attributes["aria-labelledby"] == f"{name}-caption"
    )
    return [[words(cell) for cell in row.all("th", "td")] for row in table.all("tr")]


def sections(root):
    return [one.attributes["id"] for one in root.all("section")]


# --- What stands first --------------------------------------------------------------------------


@every_page
def test_the_verdict_stands_first(name):
    """The sentence, then the table, then the picture, then what cannot be shown."""
    (verdict,) = (one for one in page(name).all("p") if one.attributes.get("class") == "verdict")
    assert verdict.text() == plain(document(name)["headline"])
    html = html_of(name)
    places = [
        html.find(mark) for mark in ('class="verdict"', "<table", 'class="plot"', 'id="cannot"')
    ]
    there = [place for place in places if place >= 0]
    assert there == sorted(there)
    assert there[0] == places[0]


def test_every_word_is_explained_where_it_first_stands():
    """In a heading of the first table, or beside it; drawings aside."""
    for name in ("full", "two", "decisions_only"):
        text = html_of(name).partition('class="verdict"')[2]
        text = re.sub(r"<(svg|style).*?</\1>", "", text, flags=re.DOTALL)
        for word in ("FMR", "FNMR", "FRR", "FTA"):
            before, _, after = text.partition(word)
            assert before.endswith("<dt>") or after.startswith(": "), (name, word)
            assert f"<dt>{word}," in text, (name, word)
        before, _, _ = text.partition("mated")
        assert before.endswith("<dfn>")


def test_the_first_table():
    """One row for each system, with what a choice needs; no column that nobody has."""
    heads, *rows = cells_of("verdict", page("full"))
    assert heads == [
        "System",
        "Threshold",
        "FMR: others pass",
        "FRR: turned away",
        "FTA: failure to acquire",
        "Cost of an attempt",
        "Price of a call",
        "95 of 100 calls within",
    ]
    assert "16 of 16,000" in rows[0][2]
    assert rows[0][3].startswith("3.2 %")
    assert "64 of 2,000" in rows[0][3]
    assert "above the required 0.1 %" in rows[2][2]
    assert cells_of("verdict", page("two"))[0][-1] == "FTA: failure to acquire"


def test_what_it_costs_is_said_under_the_verdict():
    """One sentence, with the assumptions, where costs were given, and nowhere else."""
    above, _, below = words(page("full")).partition("What this comparison cannot show")
    _, _, above = above.partition(document("full")["headline"])
    cost, assumptions = document("full")["on_cost"], "Costs assume that 1 % of all attempts"
    assert above.index(cost) < above.index(assumptions) < above.index("mated")
    assert "Costs assume" not in below
    assert "Costs assume" not in words(page("two"))


def test_what_is_not_clear_is_not_called_within_or_above():
    """No error was seen, and the required FMR is not shown either."""
    first = words(page("decisions_only"))
    assert "0 of 300" in first
    assert "the required 0.1 %" not in first


def test_a_mock_is_no_vendor():
    """A banner says so above everything, and only where it is so."""
    (banner,) = (one for one in page("full").all("p") if one.attributes.get("class") == "warning")
    assert "decides answered from a mock server" in banner.text()
    assert not any(one.attributes.get("class") == "warning" for one in page("two").all("p"))


# --- Sections -----------------------------------------------------------------------------------


def test_sections_without_data_do_not_appear():
    """Nor do links to them."""
    decide = ["cannot", "differences", "fmrs", "costs", "groups", "run", "service"]
    check = ["paired", "cross", "concentration", "scores", "tested", "method"]
    assert sections(page("full")) == decide + check
    assert sections(page("two")) == [
        "cannot",
        "differences",
        "paired",
        "scores",
        "tested",
        "method",
    ]
    assert sections(page("decisions_only")) == ["tested", "method"]
    assert sections(page("silent")) == ["service", "tested", "method"]
    for name in ALL:
        (nav,) = page(name).all("nav")
        assert [one.attributes["href"][1:] for one in nav.all("a")] == sections(page(name))


def test_what_an_analyst_checks_is_folded():
    """Whoever decides reads on without it; a link to it leads to a title that is seen."""
    for name in ALL:
        folded = [one for one in page(name).all("section") if "folded" in one.attributes.values()]
        titles = [one.attributes["id"] for one in folded]
        assert titles == sections(page(name))[-len(titles) :]
        assert {"tested", "method"} <= set(titles)
        assert ("paired" in titles) is bool(document(name)["differences"])
        assert not {"cannot", "differences", "costs", "groups", "service"} & set(titles)
        for one in folded:
            (summary, *_) = one.all("summary")
            assert [*summary.all("h2")]
        assert page(name).text().count("For the analyst") == 1


@pytest.mark.parametrize(("made", "is_more"), [(two(), False), (full(), True)])
def test_a_headline_is_not_repeated(made, is_more):
    """Where it is the sentence of a difference; a section with nothing more to say is not there."""
    headline = made.differences[0].sentence
    root = read(report_html(attrs.evolve(made, headline=headline)))
    assert words(root).count(headline) == 1
    assert ("differences" in sections(root)) is is_more
    assert "paired" in sections(root)


def test_rates_at_common_false_match_rates():
    """FNMR and FRR of every system that has scores; a dash, and the reason once."""
    heads, *rows = cells_of("fmrs-table", page("full"))
    of = [f"at an FMR of {rate} %" for rate in ("1", "0.1")]
    assert heads[1:-1] == [f"{name} {at}" for at in of for name in ("Threshold", "FNMR", "FRR")]
    assert [row[-1] for row in rows] == ["\N{EN DASH}"] * 2
    assert [row[0] for row in rows] == ["didit", "local"]
    assert rows[0][4] == "52.83"
    assert "56 of 1,992" in rows[0][5]
    assert "64 of 2,000" in rows[0][6]
    text = section("fmrs", "full")
    why_not = document("full")["systems"][0]["at_fmrs"][2]["why_not"]
    assert text.count(why_not) == text.count(f"didit, local: {why_not}") == 1


def test_who_is_mistaken_for_whom():
    """Every group against every group, both ways round; a dash where there is no pair."""
    heads, *rows = cells_of("cross-0", page("full"))
    assert heads == ["age", "18 to 30", "31 to 60", "over 60"]
    assert [row[0] for row in rows] == heads[1:]
    cells = [row[1:] for row in rows]
    assert cells == [list(column) for column in zip(*cells, strict=True)]
    assert cells[0][2] == "\N{EN DASH}"
    assert cells[0][1] == "0.08 % 3 of 4,000"


def test_groups_that_may_be_alike_are_one_sentence():
    """Only what is real is said of each; of the rest no ratio is shown."""
    text = section("groups", "full")
    real, chance = (gap["sentence"] for gap in document("full")["systems"][0]["group_differences"])
    assert f"didit: {real}" in text
    assert chance not in words(page("full"))
    assert text.count("between groups may be chance") == 1
    _, *rows = cells_of("group-differences", page("full"))
    assert [row[6] for row in rows] == ["1.0 \N{MULTIPLICATION SIGN}", "\N{EN DASH}"]


def test_who_sets_the_threshold():
    """The person with most of the pairs, and the threshold without them."""
    heads, first, second = cells_of("concentration-table", page("full"))
    assert heads[-2:] == ["Threshold", "Threshold without that person"]
    assert first[3] == "36 % p7"
    assert first[-2:] == ["52.83", "51.5"]
    assert second[-1] == "\N{EN DASH}"


def test_an_outage_is_no_rate():
    """Who never answered has no error rate, and there is nothing to draw."""
    assert not [one for one in page("silent").all("svg") if one.attributes.get("role") == "img"]
    assert "100 %" in section("service", "silent")
    assert "OutcomeUnknown: 200" in section("service", "silent")
    assert "silent answered nothing." in words(page("silent"))


def test_one_rule_decides_what_is_chance():
    """The table says of each difference what its `is_real` says."""
    text = section("paired", "full")
    assert text.count("not shown") == 2
    assert "yes: local is better" in text
    assert "decides is above the required FMR" in text
    unclear = evaluation(*two().systems, differences=(difference("alpha", "beta", real=False),))
    assert "yes: " not in report_html(unclear)


@every_page
def test_the_page_says_what_the_document_says(name):
    """Every caveat, every sentence, every reason for a missing number."""
    whole = page(name).text()
    known = document(name)
    for sentence in (
        known["headline"],
        *([known["on_cost"]] if known["on_cost"] else []),
        *(one["sentence"] for one in known["differences"]),
        *(one["why_not"] for one in known["systems"] if one["why_not"] and not one["at_required"]),
        *(one["privacy"] for one in known["systems"]),
        *(one["text"] for one in known["caveats"]),
        *(
            gap["sentence"]
            for one in known["systems"]
            for gap in one["group_differences"]
            if gap["is_real"]
        ),
        *(cell["too_few"] for s in known["systems"] for cell in s["groups"] if cell["too_few"]),
    ):
        assert plain(sentence) in whole.replace("\xa0", " ")


# --- Numbers ------------------------------------------------------------------------------------


@every_page
def test_each_number_is_that_of_the_document(name):
    """Its path leads to it, its value is exact, and what is shown is that value, rounded."""
    assert len(check_numbers(page(name), document(name))) >= 9
    check_cells(page(name))


@every_page
def test_no_number_without_its_path(name):
    """A digit stands in a `data` element, in a name, in a time, in a drawing, or is a constant."""
    text = CONSTANT.sub("", " ".join(unmarked(page(name)).split()))
    assert not re.search(r"\d", text), text


@every_page
def test_each_text_is_that_of_the_document(name):
    """Names and sentences are repeated word for word, without what would disturb a page."""
    texts = [one for one in page(name).all("bdi") if "data-path" in one.attributes]
    assert texts
    for one in texts:
        # A number and its percent sign are on one line.
        said = re.sub(r"(?<=\d)\xa0%", " %", one.text())
        assert said == plain(at(document(name), one.attributes["data-path"]))


def paths_under(raw, path=""):
    """The path of every number of a document."""
    if isinstance(raw, dict):
        for key in raw:
            yield from paths_under(Node(raw)[key].raw, f"{path}.{Node(raw)[key].path}")
    elif isinstance(raw, list):
        for place, one in enumerate(raw):
            yield from paths_under(one, f"{path}.{place}")
    elif isinstance(raw, int | float) and not isinstance(raw, bool):
        yield path[1:]


def test_every_number_of_the_document_is_on_the_page():
    """But for what only programs and notebooks read, and curves that are only drawn."""
    shown = {one.attributes["data-path"] for one in page("full").all("data")}
    missing = {path for path in paths_under(document("full")) if at(document("full"), path)} - shown
    elsewhere = re.compile(
        r".*\.(freedom|confidence|effective|far\..*|calibration_fmr\..*)|systems\..*\.subjects"
        r"|systems\.\d\.(auc|d_prime|curve\..*|histogram\..*|at_(required|default)\.fnmr\..*)"
        r"|systems\.\d\.at_fmrs\.\d\.(fmr|point\.fmr\..*)|.*\.cross_groups\..*\.(low|high)"
        r"|systems\.1\.cost\.\w+\.calls|.*\.cost\.(impostors|curve.*)\.\d+"
        r"|.*\.group_differences\.\d\.at_least"
    )
    assert [one for one in sorted(missing) if not elsewhere.fullmatch(one)] == []


@pytest.mark.parametrize("name", ["full", "silent"])
def test_same_evaluation_same_page(name):
    """Made again, and made of its JSON, it is the same byte for byte."""
    again = Evaluation.from_dict(json.loads(json.dumps(ALL[name]().to_dict())))
    assert report_html(again) == html_of(name)


rates = st.one_of(
    st.builds(lambda e, t: rate(min(e, t), t), st.integers(0, 60), st.integers(0, 10**7)),
    st.builds(
        lambda e, t: rate(min(e, t), t, interval=False), st.integers(0, 60), st.integers(0, 999)
    ),
)
numbers = st.floats(-1e6, 1e6, allow_nan=False).map(lambda number: round(number, 9))
points = st.builds(
    OperatingPoint,
    threshold=st.none() | numbers,
    rule=st.sampled_from(ThresholdRule),
    chosen_on=st.sampled_from(["calibration", "evaluation", "default"]),
    fmr=rates,
    fnmr=rates,
    far=rates,
    frr=rates,
    calibration_fmr=st.none() | rates,
)
estimates = st.builds(estimate, numbers, st.floats(0, 1e3).map(lambda half: round(half, 9)))


NO_COST = ExpectedCost(
    at_required=None, at_default=None, impostors=(), curve=(), curve_low=(), curve_high=()
)
#: What a part of a system may be instead.
INSTEAD = {
    "at_required": st.none() | points,
    "at_default": st.none() | points,
    **{many: st.just(()) for many in ("at_fmrs", "groups", "cross_groups", "group_differences")},
    "auc": st.none(),
    "concentration": st.none(),
    "service": st.builds(service, failed=st.integers(0, 9), missing=st.integers(0, 99)),
    "environment": st.none(),
    "cost": st.sampled_from([None, NO_COST]),
}


@st.composite
def systems(draw):
    """A system with any of its parts, at any values."""
    parts = attrs.asdict(draw(st.sampled_from(full().systems)), recurse=False)
    changed = draw(st.sets(st.sampled_from([*INSTEAD])))
    parts |= {name: draw(INSTEAD[name]) for name in sorted(changed)}
    return system(**parts | {"name": draw(st.text(max_size=9))})


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.lists(systems(), max_size=4, unique_by=lambda one: one.name),
    st.none() | st.just(Costs(impostors=0.0, false_match=1e-7, false_reject=1e7)),
    st.sampled_from([1e-3, 1e-6, 0.3, 0.02]),
    st.lists(st.builds(lambda frr: attrs.evolve(difference("a", "b"), frr=frr), estimates)),
)
def test_any_evaluation_makes_a_page(found, costs, required_fmr, differences):
    """Whatever is missing, nothing, all, or huge: the numbers are right, and every id is there."""
    made = evaluation(
        *found, costs=costs, required_fmr=required_fmr, differences=tuple(differences[:2])
    )
    root = read(report_html(made))
    check_numbers(root, made.to_dict())
    check_cells(root)
    check_ids(root)
    check_numbers(read(fragment(made)), made.to_dict())


# --- Names of others ----------------------------------------------------------------------------


def test_a_name_is_a_text_and_nothing_else():
    """It ends no element, makes none, and is not run as a template or a formula."""
    html = html_of("hostile")
    assert "<img" not in html
    assert "</script" not in html
    assert html.count("</style>") == 1
    names = {element.name for element in page("hostile").all()}
    assert names <= {element.name for element in page("full").all()}
    assert " 49 " not in words(page("hostile"))


def test_names_are_shown_whole_and_turn_nothing_around():
    """No control character, and no mark that changes the direction of what follows."""
    (title,) = page("hostile").all("h1")
    assert title.text().endswith(plain(HOSTILE))
    html = html_of("hostile")
    assert not {"\u202e", "\u202c", "\x00", "\x07", "\r"} & set(html)
    assert "\ufffdturned\ufffd" in html


any_text = st.text() | st.text(st.characters(categories=["Cs", "Cc", "Cf"]))


@given(any_text)
def test_what_is_left_of_a_name(name):
    """As many letters, all of which can be written to a file; letters of scripts stay."""
    shown = plain(name)
    assert len(shown) == len(name)
    shown.encode()
    assert all(old == new for old, new in zip(name, shown, strict=True) if old.isalnum())
    assert plain(shown) == shown


@given(any_text, any_text)
def test_a_path_can_be_taken_apart(first, second):
    """Whatever keys are called, also with a dot in them."""
    raw = {first: {second: [0, {"x": 7}]}}
    assert at(raw, Node(raw)[first][second][1]["x"].path) == 7


def test_a_number_cannot_be_printed_without_a_form():
    """A template that forgets one fails."""
    with pytest.raises(TypeError, match=r"a\.b"):
        str(Node(3, "a", "b"))


# --- One file that everybody can read -----------------------------------------------------------


@every_page
def test_nothing_is_asked_of_anybody(name):
    """No script, no picture, no font, no frame; links stay on the page."""
    for element in page(name).all():
        assert element.name not in {"script", "img", "iframe", "object", "embed", "base", "form"}
        assert not ASKING & set(element.attributes), element.attributes
        assert not any(key.startswith("on") or key == "style" for key in element.attributes)
        address = element.attributes.get("href", "#")
        assert address.startswith("#") or address == "data:,", address
    styles = "".join(one.text() for one in page(name).all("style"))
    assert "url(" not in styles
    assert "@import" not in styles


def test_the_policy_allows_our_style_and_nothing_else():
    """So that a browser refuses whatever a name might bring in."""
    (policy,) = (
        one.attributes["content"]
        for one in page("full").all("meta")
        if one.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    (style,) = page("full").all("style")
    digest = base64.b64encode(hashlib.sha256(style.text().encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )


def check_ids(root):
    """Ids are there once, and whatever refers to something finds it."""
    ids = [one.attributes["id"] for one in root.all() if "id" in one.attributes]
    assert len(ids) == len(set(ids))
    for one in root.all():
        marks = one.attributes
        needed = [
            *marks.get("aria-labelledby", "").split(),
            *re.findall(r"url\(#(.*?)\)", marks.get("clip-path", "")),
            *([marks["href"][1:]] if marks.get("href", "").startswith("#") else []),
        ]
        assert set(needed) <= set(ids), needed


@every_page
def test_it_can_be_read_by_ear_and_keyboard(name):
    """One title, headings without a gap, landmarks, captions, scopes, and places to scroll."""
    root = page(name)
    check_ids(root)
    (html,) = root.all("html")
    assert html.attributes["lang"] == "en"
    for single in ("h1", "main", "header", "footer"):
        assert len([*root.all(single)]) == 1
    (head,) = root.all("head")
    assert next(head.all("title")).text().startswith("Face verification compared")
    levels = [int(one.name[1]) for one in root.all("h1", "h2", "h3", "h4")]
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))
    assert next(root.all("a")).attributes["href"] == "#main"
    for table in root.all("table"):
        assert len([*table.all("caption")]) == 1
        assert all(one.attributes["scope"] in ("col", "row") for one in table.all("th"))
        assert table.parent.attributes["tabindex"] == "0"
        assert table.parent.attributes["role"] == "region"
        assert len({len([*row.all("td", "th")]) for row in table.all("tr")}) == 1
        # A narrow window lays tables out anew; the roles keep saying what they are.
        roles = {"thead": "rowgroup", "tbody": "rowgroup", "tr": "row", "td": "cell"}
        for element in table.all(*roles):
            assert element.attributes["role"] == roles[element.name]
        if table.attributes["class"] == "cards":
            assert all(one.attributes["data-label"] for one in table.all("td"))
    for drawing in root.all("svg"):
        marks = drawing.attributes
        if "aria-hidden" not in marks:
            assert marks["role"] == "img"
            title, description = next(drawing.all("title")), next(drawing.all("desc"))
            assert marks["aria-labelledby"] == (
                f"{title.attributes['id']} {description.attributes['id']}"
            )
            assert title.text()
            assert description.text()


@pytest.mark.parametrize("word", ["accuracy", "winner", "EER", "AUC"])
def test_words_that_promise_too_much(word):
    """The equal error rate and AUC are for whoever asks the notebook or the JSON document."""
    assert word not in html_of("full")


@pytest.mark.parametrize(
    ("scheme", "paper"), [("light", "#ffffff"), ("dark", "#14171a"), ("print", "#ffffff")]
)
def test_colours_stand_out(scheme, paper):
    """Text at 4.5 to 1, lines at 3 to 1 (WCAG 2.2, 1.4.3 and 1.4.11), on each paper."""
    (style,) = page("two").all("style")
    light, dark, printed = re.findall(r"\.fm \{(\s*--.*?)\}", style.text(), re.DOTALL)
    text = {"light": light, "dark": dark, "print": light + printed}[scheme]
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", text))
    assert colours["paper"] == paper

    def brightness(colour):
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(one, other):
        dim, bright = sorted((brightness(one), brightness(other)))
        return (bright + 0.05) / (dim + 0.05)

    for name in ("ink", "faint", "good", "bad", "mind", "link"):
        assert contrast(colours[name], paper) >= 4.5, name
    for place in range(6):  # labels have these colours too
        assert contrast(colours[f"s{place}"], paper) >= 4.5, place


# --- A notebook, and files ----------------------------------------------------------------------


@every_page
def test_a_notebook_shows_the_verdict(name):
    """The sentence, the picture and the table, with the same numbers as the page."""
    root = read(fragment(ALL[name]()))
    check_numbers(root, document(name))
    check_cells(root)
    check_ids(root)
    assert plain(document(name)["headline"]) in root.text()
    assert not [*root.all("section", "script", "html", "h1")]


def test_a_notebook_shows_how_far_scores_lie_apart():
    """What a data scientist knows from other tools; no row for who gives no scores."""
    html = facematch_comparison.evaluation.Evaluation._repr_html_(full())
    assert html == fragment(full())
    ids = re.search(r'id="(\w+-)separation', html)[1]
    heads, *rows = cells_of(f"{ids}separation", read(html))
    assert heads == ["System", "AUC", "d\N{PRIME}", "EER"]
    assert rows == [["didit", "0.99963", "5.0", "1.2 %"], ["local", "0.999980", "5.8", "1.2 %"]]
    assert len([*read(fragment(silent())).all("table")]) == 0


def test_a_notebook_is_left_as_it_is():
    """Every rule of its style is about itself, and two of them do not share their names."""
    first, second = fragment(two()), fragment(full())
    (style,) = read(first).all("style")
    rules = re.sub(r"@media [^{]*\{", "", style.text())
    for selectors in re.findall(r"([^{}]+)\{", rules):
        for selector in selectors.split(","):
            assert selector.strip().startswith((".fm", "div.fm")), selector
    ids = [{one.attributes.get("id") for one in read(html).all()} for html in (first, second)]
    assert ids[0] & ids[1] == {None}


def test_the_file_is_the_page(tmp_path):
    """UTF-8, in place of an older one, for whoever may read new files."""
    path = tmp_path / "report.html"
    path.write_text("old")
    write_report(two(), path)
    assert path.read_text(encoding="utf-8") == html_of("two")
    os.umask(mask := os.umask(0))
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask
    assert [*tmp_path.iterdir()] == [path]


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path):
    """Neither a piece of it nor the folder."""
    with pytest.raises(OSError):
        write_report(silent(), tmp_path / "missing" / "report.html")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        write_report(silent(), tmp_path / "folder")
    assert [one.name for one in tmp_path.iterdir()] == ["folder"]
