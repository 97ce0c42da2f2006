"""A vendor of another distribution: one folder and one entry point."""

import sys
from pathlib import Path

import attrs
import pytest
import requests
from kit.mock_world import P1, request_to

from facematch_mock_server import MockServer
from facematch_mock_server.first_calls.plans import plan_names, read_plan
from facematch_mock_server.pages.web import has_script, read_script
from facematch_mock_server.vendors import vendor_named, vendor_names

#: An invented vendor, and an entry point that names none.
CODE = (Path(__file__).parents[1] / "kit" / "acme_vendor.py").read_text()
CODE += "WRONG = 'no vendor'\n"


@pytest.fixture
def acme(tmp_path, monkeypatch):
    """Two entry points of a distribution that is installed, one of them wrong."""
    (tmp_path / "mock_acme.py").write_text(CODE)
    info = tmp_path / "acme_mock-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-mock\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[facematch.mock_vendors]\nacme = mock_acme:VENDOR\nwrong = mock_acme:WRONG\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mock_acme", raising=False)
    for cached in (vendor_named, vendor_names):
        cached.cache_clear()
    yield
    for cached in (vendor_named, vendor_names):
        cached.cache_clear()


@pytest.mark.usefixtures("acme")
def test_plug_in_vendor_is_served_beside_a_built_in_vendor():
    picture = {"probe": ("a.png", P1), "reference": ("b.png", P1)}
    with MockServer(vendor=["didit", "acme"]) as mock:
        acme = mock.of("acme")
        refused = requests.post(f"{mock.url}/compare", files=picture, timeout=10)
        headers = {"x-api-key": acme.live_key, "X-Facematch-Claims": "1"}
        answer = requests.post(f"{mock.url}/compare", files=picture, headers=headers, timeout=10)
        (first, second) = mock.control.journal()
    assert (refused.status_code, refused.json()) == (401, {"error": "x-api-key is missing."})
    assert (answer.status_code, answer.json()["verdict"]) == (200, "same")
    assert answer.headers["X-Facematch-Claims"].endswith("acme.credit.price, acme.match.answer")
    assert (first.vendor, first.key, second.key) == ("acme", "none", "live")
    assert [file.field for file in second.files] == ["probe", "reference"]


@pytest.mark.usefixtures("acme")
def test_files_of_a_plug_in_vendor_lie_beside_its_module_which_is_not_loaded(tmp_path):
    assert "acme" not in plan_names()
    assert not has_script("acme")
    (tmp_path / "first_calls.toml").write_text("pause_s = 2\n")
    (tmp_path / "page.mjs").write_text("// of Acme")
    assert "acme" in plan_names()
    assert read_plan("acme") == {"pause_s": 2}
    assert read_script("acme.mjs") == b"// of Acme"
    assert "mock_acme" not in sys.modules


@pytest.mark.usefixtures("acme")
def test_exact_path_of_a_vendor_goes_before_the_prefix_of_another(monkeypatch):
    behaviour = vendor_named("acme").behaviour
    (route,) = behaviour.routes
    # Deepvue has all paths that begin with /v1/.
    monkeypatch.setattr(behaviour, "routes", (attrs.evolve(route, pattern="/v1/compare"),))
    picture = {"probe": ("a.png", P1), "reference": ("b.png", P1)}
    with MockServer(vendor=["deepvue", "acme"]) as mock:
        headers = {"x-api-key": mock.of("acme").live_key}
        url = f"{mock.url}/v1/compare"
        answer = requests.post(url, files=picture, headers=headers, timeout=10)
        requests.post(f"{url}d", timeout=10)
        vendors = [call.vendor for call in mock.control.journal()]
    assert (answer.status_code, answer.json()["verdict"]) == (200, "same")
    assert vendors == ["acme", "deepvue"]


@pytest.mark.usefixtures("acme")
def test_unknown_path_is_not_answered_with_a_path_of_the_control_api():
    app = MockServer(vendor="acme").app
    assert "/__mock__/" not in app.handle(request_to("/else")).json()["mock"]
    assert "Acme begins at /compare" in app.handle(request_to("/else")).json()["mock"]
    assert "/compare?" in app.handle(request_to("/compares")).json()["mock"]
    assert "/__mock__/reset?" in app.handle(request_to("/_mock_/reset")).json()["mock"]


@pytest.mark.parametrize("vendor", ["nobody", "../didit", ""])
def test_unknown_vendor_has_no_file(vendor):
    assert not has_script(vendor)
    with pytest.raises(ValueError, match="first_calls"):
        read_plan(vendor)


@pytest.mark.usefixtures("acme")
def test_entry_point_that_is_not_a_vendor_is_rejected():
    with pytest.raises(ValueError, match=r"wrong = mock_acme:WRONG of facematch\.mock_vendors"):
        MockServer(vendor="wrong")
