import base64
import hashlib
import itertools
import math
import os
import re
from pathlib import Path
from statistics import NormalDist

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.comparison.reading import at, check_numbers, document, html_of, page, read_html
from kit.comparison.samples import EVALUATIONS, HOSTILE, full, silent, two
from kit.comparison.tables import as_decisions, system_answers, with_columns
from kit.goldens import kept

from facematch_comparison import report_html, write_report
from facematch_comparison.judging.evaluation import evaluate
from facematch_comparison.report.page import Node, plain
from facematch_comparison.values.model import Estimate


def unmarked(element):
    """The text of an element without its marked numbers, names, times and drawings."""
    if element.name in ("data", "bdi", "time", "svg", "style", "title"):
        return "…"
    return "".join(p if isinstance(p, str) else unmarked(p) for p in element.parts)


def check_cells(root):
    for body in root.all("tbody"):
        for cell in body.all("td", "th"):
            assert not re.search(r"\d", unmarked(cell)), cell.text()


def check_ids(root):
    """Every id is there once, and whatever is referred to is there."""
    ids = [tag.attributes["id"] for tag in root.all() if "id" in tag.attributes]
    assert len(ids) == len(set(ids))
    for tag in root.all():
        marks = tag.attributes
        needed = [
            *marks.get("aria-labelledby", "").split(),
            *re.findall(r"url\(#(.*?)\)", marks.get("clip-path", "")),
            *([marks["href"][1:]] if marks.get("href", "").startswith("#") else []),
        ]
        assert set(needed) <= set(ids), needed


every_page = pytest.mark.parametrize("name", EVALUATIONS)

#: Digits that are ours and say nothing about a test set.
CONSTANT = re.compile(r"ISO/IEC 19795-10?|(90|95|99) of 100|SHA-256")

#: Attributes that make a browser ask somebody for something.
ASKING = {"src", "srcset", "action", "formaction", "poster", "data", "ping", "background", "cite"}


def words(element):
    return " ".join(element.text().replace("\xa0", " ").split())


def sections(name):
    return [section.attributes["id"] for section in page(name).all("section")]


@every_page
def test_the_verdict_precedes_tables_figures_and_limits(name):
    (verdict,) = (p for p in page(name).all("p") if p.attributes.get("class") == "verdict")
    assert verdict.text() == plain(document(name)["headline"])
    html = html_of(name)
    before, _, _ = html.partition('class="verdict"')
    assert not [mark for mark in ("<table", 'class="plot"', 'id="cannot"') if mark in before]


def test_sections_without_data_are_omitted():
    decide = ["cannot", "year", "differences", "groups", "scatter", "thresholds", "fmrs"]
    decide += ["transactions", "service"]
    check = ["paired", "tested", "method"]
    assert sections("full") == decide + check
    assert {"year", "groups", "service"}.isdisjoint(sections("two"))
    assert {"paired", "fmrs", "thresholds", "scatter"}.isdisjoint(sections("silent"))
    for name in EVALUATIONS:
        (nav,) = page(name).all("nav")
        assert [link.attributes["href"][1:] for link in nav.all("a")] == sections(name)


@every_page
def test_the_page_contains_every_sentence_of_the_document(name):
    whole = page(name).text().replace("\xa0", " ")
    values = document(name)
    systems = values["systems"]
    for sentence in (
        values["headline"],
        *([values["limit"]] if values["limit"] else []),
        *(difference["sentence"] for difference in values["differences"]),
        *(
            system["why_not"]
            for system in systems
            if system["why_not"] and not system["at_required"]
        ),
        *(system["privacy"] for system in systems),
        *(caveat["text"] for caveat in values["caveats"]),
        *(gap["sentence"] for s in systems for gap in s["group_differences"] if gap["is_real"]),
        *(cell["too_few"] for s in systems for cell in s["groups"] if cell["too_few"]),
    ):
        assert plain(sentence) in whole


@pytest.mark.parametrize(
    ("name", "text", "is_there"),
    [
        ("two", "Practice only", False),
        ("two", "needs 50,000 non-mated pairs", True),
        ("two", "yes: alpha is better", True),
        ("two", "these two alone", False),
        ("two", "FNMR: compared and rejected", False),
    ],
)
def test_conditional_texts_appear_only_when_true(name, text, is_there):
    assert (text in words(page(name))) is is_there


@pytest.mark.parametrize("name", ["full", "eight"])
def test_a_page_says_what_it_said(name):
    """`golden` has its words; UPDATE=1 writes them."""
    said = "".join(f"{words(part)}\n" for part in page(name).all("h1", "h2", "p", "li", "tr"))
    assert said == kept(Path(__file__).parent / f"golden/{name}.txt", said)


def test_an_insignificant_difference_is_not_called_a_difference():
    (difference,) = two().differences
    unclear = attrs.evolve(difference, is_real=False, better=None)
    html = report_html(attrs.evolve(two(), differences=(unclear,)))
    assert "yes: " not in html
    undecided = attrs.evolve(difference, is_real=True, better=None)
    html = report_html(attrs.evolve(two(), differences=(undecided,)))
    assert "yes: " not in html
    chance = [
        gap for gap in document("full")["systems"][0]["group_differences"] if not gap["is_real"]
    ]
    assert chance
    assert not [gap for gap in chance if gap["sentence"] in words(page("full"))]


@every_page
def test_every_number_on_the_page_is_from_the_document(name):
    assert len(check_numbers(page(name), document(name))) >= 9
    check_cells(page(name))
    text = CONSTANT.sub("", " ".join(unmarked(page(name)).split()))
    assert not re.search(r"\d", text), text


@every_page
def test_every_text_on_the_page_is_from_the_document(name):
    texts = [element for element in page(name).all("bdi") if "data-path" in element.attributes]
    assert texts
    for element in texts:
        # A number and its percent sign are on one line.
        shown = re.sub(r"(?<=\d)\xa0%", " %", element.text())
        assert shown == plain(at(document(name), element.attributes["data-path"]))


#: What a part of a system may be instead.
INSTEAD = {
    **dict.fromkeys(("at_required", "at_default", "concentration", "environment")),
    **dict.fromkeys(("at_fmrs", "groups", "group_differences"), ()),
}


@pytest.mark.parametrize(("part", "value"), INSTEAD.items())
def test_numbers_are_right_with_any_part_missing(part, value):
    systems = tuple(attrs.evolve(system, **{part: value}) for system in full().systems[::2])
    evaluation = attrs.evolve(full(), systems=systems, required_fmr=1e-6)
    root = read_html(report_html(evaluation))
    check_numbers(root, evaluation.to_dict())
    check_cells(root)
    check_ids(root)


def test_names_are_escaped():
    """It ends no element, makes none, is not run as a template, and turns no direction around."""
    html = html_of("hostile")
    assert "<img" not in html
    assert "</script" not in html
    assert html.count("</style>") == 1
    names = {element.name for element in page("hostile").all()}
    assert names <= {element.name for element in page("full").all()}
    assert "54439" not in words(page("hostile"))
    (title,) = page("hostile").all("h1")
    assert title.text().endswith(plain(HOSTILE))
    assert not {"\u202e", "\u202c", "\x00", "\x07", "\r"} & set(html)


@given(st.text() | st.text(st.characters(categories=["Cs", "Cc", "Cf"])))
def test_letters_of_names_are_preserved_and_encodable(name):
    shown = plain(name)
    assert len(shown) == len(name)
    shown.encode()
    assert all(old == new for old, new in zip(name, shown, strict=True) if old.isalnum())


def test_a_template_with_an_unformatted_number_fails():
    with pytest.raises(TypeError):
        str(Node(3, "a", "b"))


@every_page
def test_the_page_makes_no_requests(name):
    for element in page(name).all():
        assert element.name not in {"script", "img", "iframe", "object", "embed", "base", "form"}
        assert not ASKING & set(element.attributes), element.attributes
        assert not any(key.startswith("on") or key == "style" for key in element.attributes)
        address = element.attributes.get("href", "#")
        assert address.startswith("#") or address == "data:,", address
    styles = "".join(style.text() for style in page(name).all("style"))
    assert "url(" not in styles
    assert "@import" not in styles


def test_content_security_policy_allows_only_our_style():
    (policy,) = (
        meta.attributes["content"]
        for meta in page("full").all("meta")
        if meta.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    (style,) = page("full").all("style")
    digest = base64.b64encode(hashlib.sha256(style.text().encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )


@every_page
def test_headings_tables_and_figures_are_labelled_for_screen_readers(name):
    root = page(name)
    check_ids(root)
    levels = [int(heading.name[1]) for heading in root.all("h1", "h2", "h3", "h4")]
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))
    for table in root.all("table"):
        assert len([*table.all("caption")]) == 1
        assert all(cell.attributes["scope"] in ("col", "row") for cell in table.all("th"))
        assert len({len([*row.all("td", "th")]) for row in table.all("tr")}) == 1
    for drawing in root.all("svg"):
        if "aria-hidden" not in drawing.attributes:
            assert next(drawing.all("title")).text()
            assert next(drawing.all("desc")).text()


def test_people_are_counted_only_if_all_are_named():
    study = attrs.evolve(two().study, people_known=False)
    unnamed = read_html(report_html(attrs.evolve(two(), study=study)))
    for root, start in ((page("two"), "150 people, 3,300 pairs"), (unnamed, "3,300 pairs of")):
        (header,) = root.all("header")
        assert words(next(header.all("p"))).startswith(start)


def test_digest_and_models_are_on_the_first_page_and_in_the_margin_of_each():
    margin = next(page("full").all("style")).text().partition("@bottom-left")[2]
    before, _, _ = html_of("full").partition("<nav")
    for fact in ("ab" * 32, "didit", "v3"):
        assert fact in margin
        assert fact in before
    # The digest of the score files, if there is no test set; nothing, if neither is known.
    study = attrs.evolve(full().study, digest=None)
    assert "cd" * 32 in report_html(attrs.evolve(full(), study=study)).partition("<nav")[0]
    assert "SHA" not in html_of("two").partition("<nav")[0]


def test_names_in_the_margin_are_one_string_of_css():
    margin = next(page("hostile").all("style")).text().partition("@bottom-left")[2]
    content = margin.partition('content: "')[2].partition('"')[0]
    assert re.fullmatch(r"(?:[A-Za-z0-9 ]|\\[0-9a-f]{1,6} )+", content)
    assert "onerror" in content


def test_the_page_shows_the_year_of_each_system():
    section = next(s for s in page("full").all("section") if s.attributes["id"] == "year")
    shown = words(section)
    assert "1,200,000 calls, 0.2 % of them by impostors" in shown
    assert "A false match costs 250.00 USD, a false reject 4.00 USD." in shown
    titles = [cell.text() for cell in next(section.all("thead")).all("th")]
    rows = [[words(cell) for cell in row.all("th", "td")] for row in section.all("tr")][1:]
    by_name = {row[0]: dict(zip(titles, row, strict=True)) for row in rows}
    assert list(by_name) == ["didit", "local", "decides"]
    assert by_name["didit"]["Price of the calls"] == "60,000 USD"
    assert by_name["local"]["Errors and calls"] == "\N{EN DASH}"


def test_groups_are_drawn_with_their_intervals_but_small_ones_are_not():
    section = next(s for s in page("full").all("section") if s.attributes["id"] == "groups")
    drawings = [each for each in section.all("svg") if "aria-label" in each.attributes]
    labels = [each.attributes["aria-label"] for each in drawings]
    assert labels == [
        f"{rate} by {kind}, in %" for kind in ("sex", "age") for rate in ("FRR", "FMR")
    ]
    names = [[t.text() for t in each.all("text") if not t.attributes["class"]] for each in drawings]
    assert [each[1:] for each in names[::2]] == [["f", "m"], ["18 to 30", "31 to 60"]]
    for drawing in drawings:
        marks = [e for e in drawing.all("path") if e.attributes["class"].startswith("mark")]
        assert len(marks) == 2 * 3


def test_systems_that_are_not_compared_have_no_number_of_errors():
    both = [as_decisions(system_answers([90] * 300, [10] * 600, name)) for name in "ab"]
    root = read_html(report_html(evaluate(both)))
    (table,) = (each for each in root.all("table") if "against" in each.text())
    assert [cell.text() for cell in table.all("td")] == ["300", "300", "not compared"]


def test_the_file_is_replaced_atomically(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    write_report(two(), path)
    assert path.read_text(encoding="utf-8") == html_of("two")
    os.umask(mask := os.umask(0))
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask
    (tmp_path / "folder").mkdir()
    for wrong in (tmp_path / "missing" / "report.html", tmp_path / "folder"):
        with pytest.raises(OSError):
            write_report(silent(), wrong)
    assert {*tmp_path.iterdir()} == {path, tmp_path / "folder"}


def test_a_group_without_errors_has_an_upper_bound_and_no_ratio():
    first, *rest = full().systems
    none = Estimate(value=0.0, interval=attrs.evolve(first.groups[0].frr.interval, low=0.0, high=3))
    cells = [attrs.evolve(first.groups[0], frr_ratio=none), *first.groups[1:]]
    evaluation = attrs.evolve(full(), systems=(attrs.evolve(first, groups=tuple(cells)), *rest))
    text = words(read_html(report_html(evaluation)))
    assert "no error: at most 3.0 \N{MULTIPLICATION SIGN}" in text
    assert "0.0 \N{MULTIPLICATION SIGN}" not in text


def test_transactions_without_a_threshold_have_no_section():
    scored = system_answers([90] * 20, [10] * 280)
    places = {"transactions": np.arange(300), "attempts": np.ones(300, np.int64)}
    silent_scores = with_columns(scored, decisions=np.full(300, -1, np.int8), **places)
    for fmr, is_there in ((1e-3, False), (0.05, True)):
        html = report_html(evaluate([silent_scores], required_fmr=fmr))
        assert ("If people may try again" in html) is is_there


def test_the_rule_of_30_lists_each_rate_with_fewer_errors():
    first, *rest = full().systems
    assert NormalDist().inv_cdf(0.95) / math.sqrt(30) == pytest.approx(0.3, abs=1e-3)

    def shown(errors):
        rate = attrs.evolve(first.at_required.frr, errors=errors, trials=1000)
        at = attrs.evolve(first.at_required, frr=rate)
        systems = (attrs.evolve(first, at_required=at), *rest)
        text = read_html(report_html(attrs.evolve(full(), systems=systems))).text()
        return text.partition("Fewer errors:")[2].partition(".")[0]

    assert f"FRR of {first.name} (29)" in shown(29)
    assert f"FRR of {first.name} " not in shown(30)
