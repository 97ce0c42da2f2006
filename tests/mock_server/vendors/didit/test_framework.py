"""What is read and what is refused, where the framework itself is not asked: see `oracle`."""

import itertools
import json

import pytest
from kit import mock_didit as didit
from kit.mock_didit import MATCH, MATCH_THRESHOLD, match, picture, request

from facematch_mock_server.vendors.didit.framework import extension

BAD_METADATA = {"metadata": ["Metadata must be a JSON object."]}
GOOD = [("user_image", "a.jpg", picture()), ("ref_image", "b.png", picture())]


def form(*files, fields=()):
    """A comparison with these files (field, name, bytes) and fields."""
    return request(MATCH, *didit.multipart(fields, files))


@pytest.fixture
def update():
    """The answer to a change of a session by this body."""
    engine = didit.new_engine()
    known = engine.handle(match()).json()["request_id"]
    path = f"/v3/session/{known}/update-status/"

    def changed(body, kind="application/json"):
        return engine.handle(request(path, body, kind, method="PATCH"))

    return changed


# JSON

DECLINED = b'{"new_status":"Declined","unknown":'


@pytest.mark.parametrize(
    ("opened", "closed"), [(b'{"a":', b"}"), (b"[", b"]")], ids=["objects", "arrays"]
)
def test_the_depth_of_a_json_body(update, opened, closed):
    """100 levels, that of the body among them; one that is wide is not deep."""
    assert update(DECLINED + opened * 99 + b"1" + closed * 99 + b"}").status == 200
    wide = update(DECLINED + b"[" + b",".join([b"[]"] * 300) + b"]}")
    assert "didit.json.deep" not in wide.claims
    for levels in (100, 100_000):
        answer = update(DECLINED + opened * levels + b"1" + closed * levels + b"}")
        assert answer.status == 400
        assert answer.json() == {"detail": "JSON parse error - nested too deeply"}
        assert "didit.json.deep" in answer.claims


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999", "-1e999"])
def test_a_number_without_end(update, number):
    """Is no JSON: no answer could tell it again."""
    answer = update(DECLINED + number.encode() + b"}")
    assert answer.status == 400
    assert answer.json()["detail"].startswith(
        "JSON parse error - Out of range float values are not JSON compliant"
    )
    assert "didit.json.deep" not in answer.claims


def test_an_empty_json_body_is_an_empty_object(update):
    """And cites that."""
    answer = update(b"")
    assert (answer.status, answer.json()) == (400, {"new_status": ["This field is required."]})
    assert "didit.json.empty" in answer.claims
    assert "didit.json.empty" not in update(b"{}").claims


def test_half_a_character_is_refused(update):
    """Each half once, by name."""
    text = '"\\udc00a\\ud800x\\udc00"'
    answer = update(f'{{"new_status":"Declined","comment":{text}}}'.encode())
    words = ["Surrogate characters are not allowed: U+DC00, U+D800."]
    assert (answer.status, answer.json()) == (400, {"comment": words})


def test_the_depth_of_metadata(ask):
    """As that of a JSON body; what is fine is told again as it was."""
    fits, deep = ('{"a":' * levels + "1" + "}" * levels for levels in (100, 101))
    assert ask(match(metadata=fits))[1]["metadata"] == json.loads(fits)
    for text in (deep, '{"a":1e999}', '{"a":' * 8_000):
        assert ask(match(metadata=text))[:2] == (400, BAD_METADATA)
    assert ask(match(metadata='{"a":2.5,"b":-1e300}'))[1]["metadata"] == {"a": 2.5, "b": -1e300}


def test_a_body_without_a_content_type(update):
    """It is refused, and what was sent is told."""
    answer = update(b"{}", None)
    assert (answer.status, answer.json()) == (
        415,
        {"detail": 'Unsupported media type "" in request.'},
    )


# Names of files


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("a.b", "b"), ("a.b.C", "C"), (".b", ""), ("a.", ""), ("a", ""), ("", ""), ("a.b.", "")],
)
def test_the_extension_of_a_name(name, suffix):
    """Without its dot, as it stands."""
    assert extension(name) == suffix


# What is cited


@pytest.mark.parametrize(
    ("name", "size", "cited"),
    [
        ("a.JPG", 0, {"extension_case"}),
        ("a.gif", 0, {"extensions", "bad_extension"}),
        ("a.jpg", 5_242_881, {"size_limit", "too_large"}),
        (
            "a.gif",
            5_242_881,
            {"extensions", "bad_extension", "size_limit", "too_large", "all_faults"},
        ),
        ("a", 0, {"extensions", "bad_extension"}),
    ],
)
def test_what_a_file_cites(ask, name, size, cited):
    """Each rule that it meets, and no other."""
    data = picture().ljust(size)
    claims = ask(form(("user_image", name, data), GOOD[1]))[2].claims
    assert {one for one in claims if one.startswith("didit.file.")} == {
        f"didit.file.{one}" for one in cited
    }


@pytest.mark.parametrize(
    ("fields", "cited"),
    [
        ([], set()),
        ([("vendor_data", "a")], set()),
        ([("vendor_data", "a"), ("vendor_data", "b")], {"form.last_wins"}),
        ([(MATCH_THRESHOLD, "")], {"number.empty"}),
        ([("vendor_data", "")], {"vendor_data.empty"}),
        ([("metadata", "")], {"metadata.empty"}),
        ([("rotate_image", "yes")], {"boolean.true"}),
        ([("rotate_image", "no")], {"boolean.false"}),
        ([(MATCH_THRESHOLD, "101")], {"threshold.highest"}),
        ([(MATCH_THRESHOLD, "-1")], {"threshold.lowest"}),
        ([("vendor_data", "x" * 10_001)], {"vendor_data.longest"}),
    ],
)
def test_what_a_form_cites(ask, fields, cited):
    """Each rule that it meets, and no other; two hold for every form."""
    rules = {
        *("form.last_wins", "number.empty", "vendor_data.empty", "metadata.empty", "boolean.true"),
        *("boolean.false", "threshold.highest", "threshold.lowest", "vendor_data.longest"),
        *("given.longest", "fields.together", "fields.unknown_ignored"),
    }
    claims = {one.removeprefix("didit.") for one in ask(form(*GOOD, fields=fields))[2].claims}
    assert claims & rules == {*cited, "fields.together", "fields.unknown_ignored"}


def test_of_several_files_the_last_counts(ask):
    """As of several texts, and the answer cites that."""
    status, _, response = ask(form(("user_image", "a.txt", b"x"), *GOOD))
    assert status == 200
    assert "didit.form.last_wins" in response.claims


PAGED = {
    "bad_number": ["limit=x", "limit=0", "offset=-1", "offset=x"],
    "sorted": ["limit=1", "offset=1", "limit=2&offset=1"],
    "first_bare": ["offset=1", "limit=2&offset=1"],
}


@pytest.mark.parametrize(
    "query", ["", "limit=3", "offset=0", *dict.fromkeys(itertools.chain(*PAGED.values()))]
)
def test_what_a_page_cites(query):
    """Each rule that it meets, and no other."""
    engine = didit.new_engine()
    for _ in range(3):
        engine.handle(match())
    claims = engine.handle(request(f"/v3/sessions/?{query}", method="GET")).claims
    for name, queries in PAGED.items():
        assert (f"didit.page.{name}" in claims) == (query in queries), name


def test_the_last_page_is_cited():
    """In March; nothing has a first page, and no second."""
    engine = didit.new_engine(edition="2026-03")
    one, two, last = (
        engine.handle(request(f"/v3/sessions/?page={number}", method="GET"))
        for number in (1, 2, "last")
    )
    assert (one.status, one.json()["results"], two.status) == (200, [], 404)
    assert "didit.page.last" in last.claims
    assert "didit.page.last" not in one.claims
