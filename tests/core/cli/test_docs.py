import bz2
import re
import sys
from pathlib import Path

import pytest

from facematch_core.cli import pages
from facematch_core.cli.docs import claims_named, page_named, search
from facematch_core.cli.pages import Page, plain, read_pages
from facematch_mock_server.vendors import all_claims

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def read():
    return read_pages()


def page(name, source):
    return {name: Page(name, source)}


def first_names(printed):
    """Return the names of the pages that a search lists."""
    return [line.split()[0] for line in printed.splitlines() if not line.startswith(" ")]


def test_without_words_each_page_is_listed_with_its_title(run):
    answer = run("docs")
    assert answer.exit_code == 0
    lines = answer.stdout.splitlines()
    assert "test/test-offline  Test offline with pytest, by a mock of the vendor" in lines
    assert "skill  facematch" in lines
    assert not [line for line in lines if line.startswith(("maintain/", "examples/shop/test_"))]
    in_repository = {
        file.relative_to(ROOT / "docs").with_suffix("").as_posix()
        for file in (ROOT / "docs").rglob("*.md")
        if not file.relative_to(ROOT / "docs")
        .as_posix()
        .startswith(("maintain", "photographs", "examples"))
    }
    assert {line.split()[0] for line in lines} == in_repository | {"SECURITY", "skill"}


@pytest.mark.parametrize(
    "words",
    ["test/test-offline", "test-offline", "docs/test/test-offline.md", "test/test-offline.md"],
)
def test_a_page_is_printed_by_its_name(run, words):
    answer = run("docs", words)
    assert answer.exit_code == 0
    assert answer.stdout.startswith("# Test offline with pytest, by a mock of the vendor\n")
    assert "```python" in answer.stdout


def test_reference_page_lists_arguments_and_methods_of_a_class(run):
    printed = run("docs", "reference/mock").stdout
    webhooks = printed.partition("## Webhooks")[2].partition("\n## ")[0]
    assert "`python -m pydoc facematch_mock_server.Webhooks`" in webhooks
    assert "- `deliveries(" in webhooks
    assert "- `delivery(" in webhooks
    assert "self" not in webhooks
    verifier = run("docs", "reference/verifier").stdout
    assert "\n- `CheckStore(where, verifier, *, " in verifier
    assert "compared_with=ComparedWith.GIVEN" in verifier
    assert "stop_on=(AuthenticationFailed, " in verifier
    assert "clock=..." in run("docs", "reference/policies").stdout
    without_extras = run("docs", "reference/backend").stdout
    assert "prints its documentation." in without_extras


def test_pages_name_a_commands_help_and_leave_it_to_the_command(run):
    printed = run("docs", "reference/cli").stdout
    assert "\n$ facematch verify -h\n...\n```\n" in printed
    assert "--liveness-threshold" not in printed
    assert "\nExit codes:\n" in printed


def test_replies_that_are_ready_are_printed_as_they_are(run):
    name = "examples/replies/baidu-ocr.json"
    assert f"(`facematch docs {name}`)" in run("docs", "test/use-the-mock").stdout
    assert run("docs", name).stdout == (ROOT / "docs" / name).read_text()


def test_claims_of_a_mock_are_printed_all_or_one(run):
    """The console and `X-Facematch-Claims` name them by their ids."""
    assert "claims (`facematch docs claims/didit`)" in run("docs", "vendors/didit").stdout
    claims = run("docs", "claims/didit")
    assert claims.exit_code == 0
    assert claims.stdout.startswith("# Claims about Didit\n")
    ids = [claim.id for claim in all_claims("didit")]
    assert [claim for claim in ids if f"- `{claim}`: " not in claims.stdout] == []
    one = run("docs", ids[0]).stdout
    assert one.startswith(f"- `{ids[0]}`: ")
    assert one in claims.stdout
    assert claims_named("didit.no_such_claim") is claims_named("claims/nobody") is None


def test_without_the_mock_there_are_no_claims(monkeypatch):
    monkeypatch.setitem(sys.modules, "facematch_mock_server.vendors.claims_page", None)
    assert claims_named("claims/didit") is None


def test_programs_that_a_page_explains_are_printed_unchanged(run):
    printed = run("docs", "examples/shop/app.py").stdout
    assert printed.rstrip() == (ROOT / "docs/examples/shop/app.py").read_text().rstrip()


def test_a_name_of_several_pages_is_searched(run, read):
    assert page_named("index", read).name == "index"
    assert page_named("tutorial", read) is None
    found = first_names(run("docs", "tutorial").stdout)
    assert {"apps/tutorial", "choose/tutorial"} <= {*found}


@pytest.mark.parametrize(
    ("words", "best"),
    [
        ("budget", "apps/limit-spending"),
        ("budgets", "apps/limit-spending"),
        ("price", "vendors/index"),
        ("jumio", "vendors/index"),
        ("golang", "test/open-a-door"),
        ("veriff mock", "vendors/veriff"),
        ("onfido mock", "vendors/onfido"),
        ("django", "apps/answer-a-web-form"),
        ("GDPR", "apps/privacy"),
        ("pytest fixture", "test/test-offline"),
        ("plugin", "extend/write-a-plug-in"),
        ("plug-in", "extend/write-a-plug-in"),
        ("exif", "apps/pictures"),
        ("threshold choose", "choose/tutorial"),
        ("rate limit", "apps/survive-outages"),
    ],
)
def test_a_search_lists_the_page_about_the_words_first(run, read, monkeypatch, words, best):
    monkeypatch.setattr("facematch_core.cli.docs.read_pages", lambda: read)
    answer = run("docs", *words.split())
    assert answer.exit_code == 0
    assert first_names(answer.stdout)[0] == best


def test_words_in_one_argument_are_searched_as_several(run):
    assert run("docs", "rate limit").stdout == run("docs", "rate", "limit").stdout


def test_a_search_needs_all_words_and_shows_a_line_with_them():
    both = page("both", "# A\n\nnothing\n\ntwo retries of a webhook\n")
    one = page("one", "# Webhook\n\n## Webhooks\n\na webhook\n")
    hits = search(["retry", "webhook"], one | both)
    assert [(hit.page.name, hit.words) for hit in hits] == [("one", 1), ("both", 1)]
    hits = search(["retries", "webhooks"], one | both)
    assert [(hit.page.name, hit.words) for hit in hits] == [("both", 2), ("one", 1)]
    assert hits[0].line == "two retries of a webhook"
    assert search(["book"], both) == [], "words are found at their beginnings"


def test_without_a_hit_the_nearest_three_are_listed_and_the_code_is_1(run):
    answer = run("docs", "webhok")
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert len(first_names(answer.stderr.partition("\n")[2])) == 3
    assert "No page has webhok" in answer.stderr
    assert "webhook" in answer.stderr.partition("\n")[2]
    answer = run("docs", "qqqq zzzz")
    assert answer.exit_code == 1
    assert len(first_names(answer.stderr.partition("\n")[2])) == 3


@pytest.mark.parametrize("name", ["extend/use-the-mock", "docs/old/use-the-mock.md"])
def test_page_of_this_name_in_another_folder_is_the_nearest(run, name):
    answer = run("docs", name)
    assert answer.exit_code == 1
    assert first_names(answer.stderr.partition("\n")[2])[0] == "test/use-the-mock"


def test_more_than_ten_pages_are_counted(run):
    *listed, last = run("docs", "session").stdout.splitlines()
    assert len(first_names("\n".join(listed))) == 10
    assert re.fullmatch(r"\d+ more: add a word\.", last)


def test_links_are_addresses_or_commands_that_print_a_page(read):
    """Nothing is left that needs the site: no relative link, no picture, no comment."""
    for each in read.values():
        text = plain(each, read)
        prose = re.sub(r"(?ms)^ *```.*?^ *```$", "", text)
        if not each.is_program:
            assert not re.findall(r"\]\((?!https://)[^)\s]+\)|<!--|<img|(?m:^:::)", prose), (
                each.name
            )
        for name in re.findall(r"`facematch docs (?!WORDS)([^`\s]+)`", text):
            found = page_named(name, read) or claims_named(name)
            assert found is not None, f"{each.name}: {name}"


def test_each_kind_of_link_and_code_in_a_page():
    shop = Page(
        "apps/shop",
        "# Shop\n<!-- a\nnote -->\n"
        "[A *mock*](../vendors/didit.md#mock), [here](#shop), [a site](https://a.example/b),\n"
        "[a file](../../Makefile), ![A picture](../a.png)\n\n"
        "::: facematch_core.Retry\n    options: {a: b}\n\n"
        "```python\nx[0](y.md)\n```\n",
    )
    didit = Page("vendors/didit", "# Didit\n")
    assert plain(shop, {"apps/shop": shop, "vendors/didit": didit}) == (
        "# Shop\n"
        "A *mock* (`facematch docs vendors/didit`), here, [a site](https://a.example/b),\n"
        "a file, (picture: A picture)\n\n"
        "`python -m pydoc facematch_core.Retry` prints its documentation.\n\n"
        "```python\nx[0](y.md)\n```\n"
    )


def test_a_wheel_has_the_pages_of_the_checkout(monkeypatch, tmp_path, read):
    file = tmp_path / "pages.md.bz2"
    file.write_bytes(bz2.compress(pages.joined_pages(ROOT).encode()))
    monkeypatch.setattr(pages, "JOINED", file)
    # Nothing else is there.
    monkeypatch.setattr(pages, "PACKAGE", tmp_path)
    assert read_pages() == read


def test_the_skill_is_short_and_has_the_head_that_agents_read():
    text = pages.SKILL.read_text()
    assert len(text.split()) <= 500
    head = re.match(r"---\nname: facematch\ndescription: (.+)\n---\n", text)
    assert pages.SKILL.parent.name == "facematch"
    assert len(head[1]) <= 1024, "the limit of https://agentskills.io/specification"
