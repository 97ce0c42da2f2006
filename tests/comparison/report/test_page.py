import base64
import hashlib
import itertools
import re
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.comparison.reading import check_numbers, document, html_of, page, parts_of, read_html
from kit.comparison.samples import EVALUATIONS, HOSTILE, full, silent, two
from kit.comparison.tables import as_decisions, system_answers
from kit.goldens import kept

from facematch_comparison import report_html, write_report
from facematch_comparison.judging.evaluation import evaluate
from facematch_comparison.report.page import plain, printable
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
        labels = tag.attributes.get("aria-labelledby", "").split()
        clips = re.findall(r"url\(#(.*?)\)", tag.attributes.get("clip-path", ""))
        links = re.findall(r"^#(.*)", tag.attributes.get("href", ""))
        assert {*labels, *clips, *links} <= set(ids), tag.attributes


every_page = pytest.mark.parametrize("name", EVALUATIONS)

#: Digits that are ours and say nothing about a test set.
CONSTANT = re.compile(r"ISO/IEC 19795-10?|(90|95|99) of 100|SHA-256")

#: Attributes that make a browser ask somebody for something.
ASKING = {"src", "srcset", "action", "formaction", "poster", "data", "ping", "background", "cite"}


def text_of(element):
    return " ".join(element.text().replace("\xa0", " ").split())


def test_a_notebook_shows_a_page_in_a_frame():
    written = report_html(full())
    (frame,) = read_html(written._repr_html_()).all("iframe")
    assert frame.attributes["srcdoc"] == written


def test_rates_are_at_each_fmr_with_the_eer_and_what_is_too_strict():
    section = next(each for each in page("full").all("section") if each.attributes["id"] == "fmrs")
    titles = [text_of(title) for title in section.all("th") if title.attributes["scope"] == "col"]
    assert titles[1] == "EER"
    for fmr in ("1", "0.1", "0.01", "0.001", "0.0001"):
        assert f"FNMR at an FMR of {fmr} %" in titles
    needs = [cell for cell in section.all("td") if "needs 5,000,000" in text_of(cell)]
    assert len(needs) == len([*section.all("tr")]) - 1


def section_ids(name):
    return [section.attributes["id"] for section in page(name).all("section")]


def page_of(evaluation):
    return read_html(report_html(evaluation))


def full_with_first(**changes):
    """The full evaluation with changes to its first system."""
    first, *others = full().systems
    return attrs.evolve(full(), systems=(attrs.evolve(first, **changes), *others))


@every_page
def test_the_verdict_precedes_tables_figures_and_limits(name):
    (verdict,) = (p for p in page(name).all("p") if p.attributes.get("class") == "verdict")
    assert verdict.text() == plain(document(name)["headline"])
    before, _, _ = html_of(name).partition('class="verdict"')
    for later in ("<table", 'class="plot"', 'id="cannot"'):
        assert later not in before


def test_sections_without_data_are_omitted():
    assert section_ids("full") == [
        "cannot",
        "year",
        "differences",
        "groups",
        "thresholds",
        "fmrs",
        "service",
        "paired",
        "tested",
        "method",
    ]
    assert {"year", "groups", "service"}.isdisjoint(section_ids("two"))
    assert {"paired", "fmrs", "thresholds"}.isdisjoint(section_ids("silent"))


@every_page
def test_the_navigation_links_to_each_section(name):
    (nav,) = page(name).all("nav")
    assert [link.attributes["href"][1:] for link in nav.all("a")] == section_ids(name)


def sentences_of(evaluation):
    """Every sentence of a document that its page must contain."""
    yield evaluation["headline"]
    yield evaluation["limit"]
    for difference in evaluation["differences"]:
        yield difference["sentence"]
    for caveat in evaluation["caveats"]:
        yield caveat["text"]
    for system in evaluation["systems"]:
        if not system["at_required"]:
            yield system["why_not"]
        for difference in system["group_differences"]:
            if difference["is_real"]:
                yield difference["sentence"]
        for group in system["groups"]:
            yield group["too_few"]


@every_page
def test_the_page_contains_every_sentence_of_the_document(name):
    shown = page(name).text().replace("\xa0", " ")
    for sentence in sentences_of(document(name)):
        assert plain(sentence or "") in shown


@pytest.mark.parametrize(
    "text", ["Practice only", "these two alone", "FNMR: compared and rejected"]
)
def test_a_conditional_text_is_omitted_where_it_is_not_true(text):
    assert text not in text_of(page("two"))


@pytest.mark.parametrize("name", ["full", "eight"])
def test_a_page_says_what_it_said(name):
    """`golden` has its words; UPDATE=1 writes them."""
    text = "".join(f"{text_of(part)}\n" for part in page(name).all("h1", "h2", "p", "li", "tr"))
    file = Path(__file__).parent / f"golden/{name}.txt"
    assert text == kept(file, text), f"make goldens writes {file}"


@pytest.mark.parametrize("is_real", [False, True])
def test_a_difference_without_a_better_system_is_not_called_one(is_real):
    (difference,) = two().differences
    unclear = attrs.evolve(difference, is_real=is_real, better=None)
    assert "yes: " not in report_html(attrs.evolve(two(), differences=(unclear,)))


def test_an_insignificant_group_difference_is_not_shown():
    differences = document("full")["systems"][0]["group_differences"]
    by_chance = [difference for difference in differences if not difference["is_real"]]
    assert by_chance
    for difference in by_chance:
        assert difference["sentence"] not in text_of(page("full"))


@every_page
def test_every_number_on_the_page_is_from_the_document(name):
    assert len(check_numbers(page(name), document(name))) >= 9
    check_cells(page(name))
    text = CONSTANT.sub("", " ".join(unmarked(page(name)).split()))
    assert not re.search(r"\d", text), text


@every_page
def test_every_text_on_the_page_is_from_the_document(name):
    known = {plain(part) for part in parts_of(document(name)) if isinstance(part, str)}
    texts = [*page(name).all("bdi")]
    assert texts
    for element in texts:
        # A number and its percent sign are on one line.
        assert re.sub(r"(?<=\d)\xa0%", " %", element.text()) in known


#: What a part of a system may be instead.
INSTEAD = {
    **dict.fromkeys(("at_required", "at_default", "concentration", "environment")),
    **dict.fromkeys(("at_fmrs", "groups", "group_differences"), ()),
}


@pytest.mark.parametrize(("part", "value"), INSTEAD.items())
def test_numbers_are_right_with_any_part_missing(part, value):
    systems = tuple(attrs.evolve(system, **{part: value}) for system in full().systems[::2])
    evaluation = attrs.evolve(full(), systems=systems, required_fmr=1e-6)
    root = page_of(evaluation)
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
    assert "54439" not in text_of(page("hostile"))
    (title,) = page("hostile").all("h1")
    assert title.text().endswith(plain(HOSTILE))
    assert not {"\u202e", "\u202c", "\x00", "\x07", "\r"} & set(html)


@given(st.text() | st.text(st.characters(categories=["Cs", "Cc", "Cf"])))
def test_letters_of_names_are_preserved_and_encodable(name):
    shown = plain(name)
    assert len(shown) == len(name)
    shown.encode()
    assert all(old == new for old, new in zip(name, shown, strict=True) if old.isalnum())


@pytest.mark.parametrize("value", [3, 0.5, None])
def test_a_template_with_an_unformatted_number_fails(value):
    with pytest.raises(TypeError):
        printable(value)


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
    unnamed = page_of(attrs.evolve(two(), study=study))
    for root, start in ((page("two"), "150 people, 3,300 pairs"), (unnamed, "3,300 pairs of")):
        (header,) = root.all("header")
        assert text_of(next(header.all("p"))).startswith(start)


def test_digest_and_models_are_on_the_first_page():
    before, _, _ = html_of("full").partition("<nav")
    for fact in ("ab" * 32, "didit", "v3"):
        assert fact in before
    # The digest of the score files, if there is no test set; nothing, if neither is known.
    study = attrs.evolve(full().study, digest=None)
    assert "cd" * 32 in report_html(attrs.evolve(full(), study=study)).partition("<nav")[0]
    assert "SHA" not in html_of("two").partition("<nav")[0]


def test_systems_that_are_not_compared_have_no_number_of_errors():
    both = [as_decisions(system_answers([90] * 300, [10] * 600, name)) for name in "ab"]
    (table,) = (
        table for table in page_of(evaluate(both)).all("table") if "against" in table.text()
    )
    assert [cell.text() for cell in table.all("td")] == ["300", "300", "not compared"]


@pytest.mark.parametrize(
    ("fixed", "is_same_security", "was_chosen"),
    [({}, True, True), ({"a": 65}, False, True), ({"a": 65, "b": 65}, False, False)],
)
def test_page_says_only_of_thresholds_that_were_chosen_how(fixed, is_same_security, was_chosen):
    scores = ([90] * 60 + [70] * 40, [10] * 500 + [60] * 50)
    answers = [system_answers(*scores, name) for name in "ab"]
    text = text_of(page_of(evaluate(answers, at_thresholds=fixed)))
    assert ("systems are compared at the same security" in text) == is_same_security
    assert ("passed in this test" in text) == was_chosen
    assert ("were chosen on the same pairs" in text) == was_chosen


def test_a_written_file_is_its_owners_alone(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    write_report(two(), path)
    assert path.read_text(encoding="utf-8") == html_of("two")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "missing" / "report.html", tmp_path / "folder"):
        with pytest.raises(OSError):
            write_report(silent(), path)
    assert [*tmp_path.iterdir()] == [tmp_path / "folder"]


def test_a_group_without_errors_has_an_upper_bound_and_no_ratio():
    cell, *others = full().systems[0].groups
    ratio = Estimate(value=0.0, interval=attrs.evolve(cell.frr.interval, low=0.0, high=3))
    without_errors = attrs.evolve(cell, frr_ratio=ratio)
    text = text_of(page_of(full_with_first(groups=(without_errors, *others))))
    assert "no error: at most 3.0 \N{MULTIPLICATION SIGN}" in text
    assert "0.0 \N{MULTIPLICATION SIGN}" not in text


def test_each_row_has_the_cross_group_rates_of_one_group_of_probes():
    sections = {each.attributes["id"]: each for each in page("full").all("section")}
    _, by_sex, by_age = sections["groups"].all("table")
    (head, women, men, *_) = [[*row.all("td", "th")] for row in by_sex.all("tr")]
    assert list(map(text_of, head)) == ["System", "Probe", "Reference: f", "Reference: m"]
    cells = full().systems[0].cross_groups
    for row, probe in ((women, "f"), (men, "m")):
        assert text_of(row[1]) == probe
        of_probe = [cell.fmr for cell in cells if (cell.column, cell.probe_group) == ("sex", probe)]
        for cell, fmr in zip(row[2:], of_probe, strict=True):
            assert text_of(cell).endswith(f"{fmr.errors:,} of {fmr.trials:,}")
    assert "too few people" in text_of(by_age)
    assert "too few people" not in text_of(by_sex)


@pytest.mark.parametrize(("errors", "listed"), [(29, ["29"]), (30, [])])
def test_the_rule_of_30_lists_each_rate_with_fewer_errors(errors, listed):
    at_required = full().systems[0].at_required
    frr = attrs.evolve(at_required.frr, errors=errors, trials=1000)
    text = page_of(full_with_first(at_required=attrs.evolve(at_required, frr=frr))).text()
    (sentence,) = re.findall(r"Fewer errors:([^.]*)", text)
    assert re.findall(r"FRR of didit \((\d+)\)", sentence) == listed
