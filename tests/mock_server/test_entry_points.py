"""A vendor of another distribution: one folder and one entry point."""

import textwrap

import pytest
import requests

from facematch_mock_server import MockServer, card_sheet
from facematch_mock_server.vendors import vendor_named, vendor_names

CODE = """
from facematch_mock_server.claims import OURS, Reply, row, table
from facematch_mock_server.services import LIVE_KEY, Key, KeyKind
from facematch_mock_server.vendors.base import Route, Routed, Vendor, read_or_empty

CLAIMS = table(
    "acme",
    row("key", Reply(401, {"error": "no key"}), OURS, "A key is wanted."),
    row("same", Reply(200), OURS, "An answer says whether they are the same."),
    row("path", Reply(404, {"error": "nothing here"}), OURS, "Other paths are 404."),
)


def check_key(call):
    if not call.let_in(call.request.header("x-api-key")):
        call.refuse("key")


def compare(call):
    form = read_or_empty(call)
    one, other = form.files["one"][0], form.files["other"][0]
    return call.answer("same", {"same": call.compare(one, other).score > 50})


class Acme(Routed):
    routes = (
        Route(
            pattern="/compare",
            answers={"POST": compare},
            checks={"key": check_key},
            operation="match",
            is_form=True,
        ),
    )

    def elsewhere(self, call):
        return call.answer("path")


VENDOR = Vendor(
    name="acme",
    title="Acme",
    claims=CLAIMS,
    editions={"1": {}},
    default_edition="1",
    operations=("match",),
    first_keys={LIVE_KEY: Key(kind=KeyKind.LIVE)},
    behaviour=Acme,
    greeting=("key: mock-live-key", "curl {url}/compare"),
)
WRONG = "no vendor"
"""


@pytest.fixture
def acme(tmp_path, monkeypatch):
    """Two entry points of a distribution that is installed, one of them wrong."""
    (tmp_path / "mock_acme.py").write_text(textwrap.dedent(CODE))
    info = tmp_path / "acme_mock-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-mock\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[facematch.mock_vendors]\nacme = mock_acme:VENDOR\nwrong = mock_acme:WRONG\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for cached in (vendor_named, vendor_names):
        cached.cache_clear()
    yield
    for cached in (vendor_named, vendor_names):
        cached.cache_clear()


@pytest.mark.usefixtures("acme")
def test_it_is_served_beside_the_others():
    card = card_sheet()["p1"].data
    picture = {"one": ("a.png", card), "other": ("b.png", card)}
    with MockServer(vendor=["didit", "acme"]) as mock:
        acme = mock.of("acme")
        refused = requests.post(f"{mock.url}/compare", files=picture, timeout=10)
        answer = requests.post(
            f"{mock.url}/compare", files=picture, headers={"x-api-key": acme.live_key}, timeout=10
        )
        (first, second) = mock.control.journal()
    assert (refused.status_code, refused.json()) == (401, {"error": "no key"})
    assert (answer.status_code, answer.json()) == (200, {"same": True})
    assert answer.headers["X-Facematch-Claims"] == "acme.same"
    assert (first.vendor, first.key, second.key) == ("acme", "none", "live")
    assert [file.field for file in second.files] == ["one", "other"]


@pytest.mark.usefixtures("acme")
def test_an_entry_point_that_names_no_vendor_is_refused():
    with pytest.raises(ValueError, match=r"wrong = mock_acme:WRONG of facematch\.mock_vendors"):
        MockServer(vendor="wrong")
