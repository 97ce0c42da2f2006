"""The page as HTML: one file that asks for nothing, and that everybody can read."""

import base64
import hashlib
import itertools
import re

import pytest
from core.comparison.report.reading import html_of, page
from core.comparison.report.samples import ALL

every_page = pytest.mark.parametrize("name", ALL)

#: Attributes that make a browser ask somebody for something.
ASKING = {"src", "srcset", "action", "formaction", "poster", "data", "ping", "background", "cite"}


@every_page
def test_nothing_is_asked_of_anybody(name):
    """No script, no picture, no font, no frame; links stay on the page."""
    for element in page(name).all():
        assert element.name not in {"script", "img", "iframe", "object", "embed", "base", "form"}
        assert not ASKING & set(element.attributes), element.attributes
        assert not any(key.startswith("on") or key == "style" for key in element.attributes)
        for key in ("href", "xlink:href"):
            address = element.attributes.get(key, "#")
            assert address.startswith("#") or address == "data:,", address
    styles = "".join(one.text() for one in page(name).all("style"))
    assert "url(" not in styles
    assert "@import" not in styles


@every_page
def test_the_policy_allows_our_style_and_nothing_else(name):
    """So that a browser refuses whatever a name might bring in."""
    (policy,) = (
        one.attributes["content"]
        for one in page(name).all("meta")
        if one.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    (style,) = page(name).all("style")
    digest = base64.b64encode(hashlib.sha256(style.text().encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )


@every_page
def test_ids_are_there_once_and_are_found(name):
    """Whatever refers to something finds it."""
    ids = [one.attributes["id"] for one in page(name).all() if "id" in one.attributes]
    assert len(ids) == len(set(ids))
    for one in page(name).all():
        told = one.attributes
        needed = [
            *told.get("aria-labelledby", "").split(),
            *re.findall(r"url\(#(.*?)\)", told.get("clip-path", "")),
            *([told["href"][1:]] if told.get("href", "").startswith("#") else []),
        ]
        assert set(needed) <= set(ids), needed


@every_page
def test_it_can_be_read_by_ear_and_keyboard(name):
    """One title, headings without a gap, landmarks, captions, scopes, and places to scroll."""
    root = page(name)
    (html,) = root.all("html")
    assert html.attributes["lang"] == "en"
    for single in ("h1", "main", "header", "footer"):
        assert len([*root.all(single)]) == 1
    (head,) = root.all("head")
    (title,) = head.all("title")
    assert title.text().startswith("Face verification compared")
    levels = [int(one.name[1]) for one in root.all("h1", "h2", "h3", "h4")]
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))
    first = next(one for one in root.all("a"))
    assert first.attributes["href"] == "#main"
    for table in root.all("table"):
        assert len([*table.all("caption")]) == 1
        assert all(one.attributes["scope"] in ("col", "row") for one in table.all("th"))
        region = table.parent.attributes
        assert region["tabindex"] == "0"
        assert region["role"] == "region"
        widths = {
            sum(int(cell.attributes.get("colspan", 1)) for cell in row.all("td", "th"))
            for row in table.all("tr")
        }
        assert len(widths) == 1, table.text()[:100]
    for drawing in root.all("svg"):
        told = drawing.attributes
        if "aria-hidden" not in told:
            assert told["role"] == "img"
            title, description = [*drawing.all("title"), *drawing.all("desc")]
            assert told["aria-labelledby"] == (
                f"{title.attributes['id']} {description.attributes['id']}"
            )
            assert title.text()
            assert description.text()


@every_page
def test_tables_that_become_cards_stay_tables(name):
    """A narrow window lays them out anew; the roles keep telling what they are."""
    roles = {"table": "table", "thead": "rowgroup", "tbody": "rowgroup", "tr": "row", "td": "cell"}
    cards = [one for one in page(name).all("table") if one.attributes.get("class") == "cards"]
    assert len(cards) >= 4
    for table in cards:
        for element in (table, *table.all(*roles)):
            assert element.attributes["role"] == roles[element.name]
        assert all("data-label" in cell.attributes for cell in table.all("td"))


def test_the_order_of_the_first_page():
    """Who, refusals, what the run's threshold means, failures, difference, groups, and so on."""
    sections = [one.attributes["id"] for one in page("three").all("section")]
    assert sections == [
        "who",
        "refused",
        "run",
        "failures",
        "difference",
        "groups",
        "speed",
        "privacy",
        "cannot",
        "method",
        "curves",
        "numbers",
    ]


@pytest.mark.parametrize("word", ["accuracy", "winner", "EER"])
def test_words_that_promise_too_much(word):
    """The equal error rate is no headline; the others are nowhere."""
    front = html_of("three").partition('id="details"')[0]
    assert word not in front
    assert word == "EER" or word not in html_of("three")


@pytest.mark.parametrize(
    ("scheme", "paper"), [("light", "#ffffff"), ("dark", "#161718"), ("print", "#ffffff")]
)
def test_colours_stand_out(scheme, paper):
    """Text at 4.5 to 1, lines at 3 to 1 (WCAG 2.2, 1.4.3 and 1.4.11), on each paper."""
    (style,) = page("two").all("style")
    light, dark, printed = re.findall(r":root \{(.*?)\}", style.text(), re.DOTALL)
    text = {"light": light, "dark": dark, "print": light + printed}[scheme]
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", text))
    assert colours.get("paper", paper) == paper

    def brightness(colour):
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(one, other):
        dim, bright = sorted((brightness(one), brightness(other)))
        return (bright + 0.05) / (dim + 0.05)

    for name in ("ink", "faint", "good", "bad", "mind", "link"):
        assert contrast(colours[name], paper) >= 4.5, name
    for place in range(6):
        assert contrast(colours[f"s{place}"], paper) >= 3, place
