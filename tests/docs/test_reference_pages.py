"""Pages of the reference; ``UPDATE_DOCS=1 pytest tests/docs`` writes the generated parts."""

import importlib
import re
import tomllib

import attrs
import pytest
from kit.of_vendors import of_vendors
from kit.pages import DOCS, check_part
from kit.vendors import BUNDLED_VENDORS, PAID, settings_at

import facematch_core as fm
from facematch_comparison import PairState, Requirements
from facematch_comparison.judging.requirements import built_in
from facematch_comparison.scores.columns import FIELDS
from facematch_core import Failover, OutcomeUnknown, Unsupported, VendorError, open_verifier
from facematch_core.testing import BackendContract
from facematch_core.testing.contract.money import EXPECTED_ERRORS
from facematch_core.testing.simulator import FAILURES, STALLS, Situation
from facematch_mock_server import Fault, MockServer, card_sheet, make_card
from facematch_mock_server.compared import (
    FILE_IN_CHECKOUT,
    latest_comparison,
    read_comparisons,
)
from facematch_mock_server.vendors import kit, vendor_named, vendor_names


def cells(*values):
    return "| " + " | ".join(values) + " |"


#: The backend of each vendor, by its name in a table.
VENDORS = {
    "Didit": "didit",
    "CompreFace": "compreface",
    "Deepvue": "deepvue",
    "Azure": "azure",
    "Rekognition": "rekognition",
    **{title: name for name, title in of_vendors("TITLE").items()},
    "Baidu": "baidu",
    "Tencent": "tencent",
    "Regula": "regula",
    "DeepFace": "deepface",
    "Alibaba": "alibaba",
}


def words_not_in(text, words):
    """Return the words that a text does not show as code."""
    return [word for word in words if f"`{word}`" not in text]


def section_of(page, heading):
    """Return the text of a page below a heading of the second level."""
    return page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def opened(backend, mock):
    return open_verifier(backend, **settings_at(mock, backend))


def matrix(title, outcomes):
    """Return a table of the vendors that charge; cases with the same cells share a row."""
    shown = [
        vendor
        for vendor in VENDORS
        if {cell for (_, of), cell in outcomes.items() if of == vendor} - {"0", "-"}
    ]
    cases_of = {}
    for case in dict.fromkeys(case for case, _ in outcomes):
        cases_of.setdefault(tuple(outcomes[case, vendor] for vendor in shown), []).append(case)
    rows = [cells("; ".join(cases), *row) for row, cases in cases_of.items()]
    return "\n".join([cells(title, *shown), "|" + "---|" * (1 + len(shown)), *rows])


DOWN = {"kind": "json", "body": {"detail": "Down."}}


def statuses(*those, kind="status", **more):
    return [{"kind": kind, "status": status} | more for status in those]


#: Faults after which each vendor's failover does the same; none is a mock that is stopped.
STRIKES = {
    "`status` 402, 429": statuses(402, 429),
    "`status` 500, 503": statuses(500, 503),
    '`json` 500, 503 with the body `{"detail": "Down."}`': statuses(500, 503, **DOWN),
    "`status` 502, 504": statuses(502, 504),
    "`html` 500, 502, 503, 504": statuses(500, 502, 503, 504, kind="html"),
    "the connection drops during the call": [
        {"stage": stage, "kind": kind}
        for stage in ("mid_upload", "after_upload", "mid_headers", "mid_body")
        for kind in ("reset", "truncate")
    ],
    # Last, because it stays.
    "none: the connection is refused (`mock.stop()`)": [],
}


#: What happens to a call: the two cards that are sent, and the fault that strikes it.
SITUATIONS = {
    "a match, or no match": ("p1", "p2", None),
    "several faces in the probe": ("two-faces", "p1", None),
    "no face in the probe": ("no-face", "p1", None),
    "no face in the reference": ("p1", "no-face", None),
    "rejected: a bad request (400)": ("p1", "p2", {"status": 400}),
    "rejected: a wrong key (401)": ("p1", "p2", {"status": 401}),
    "rejected: too many calls (429)": ("p1", "p2", {"status": 429}),
    "the vendor's own error response (500)": ("p1", "p2", DOWN | {"status": 500}),
    "a gateway's page (502)": ("p1", "p2", {"kind": "html", "status": 502}),
    "the response is lost, or too late": ("p1", "p2", {"stage": "mid_body", "kind": "reset"}),
    # Last, because it stays.
    "nothing was sent: connection refused": ("p1", "p2", {}),
}


def charges(call, *pictures):
    try:
        billing = call(*pictures).billing
    except Unsupported:
        return "-"
    except VendorError as error:
        billing = error.billing
    return "**?**" if billing.charged is fm.Charged.UNKNOWN else str(billing.charges)


def table_of_charges():
    ready = {name: card.data for name, card in card_sheet().items()}
    scores = {}
    for vendor, backend in VENDORS.items():
        # No fault is to strike Deepvue's login, and no status is sent again with a new one.
        path = {"path": "/v1/facematch"} if vendor == "Deepvue" else {}
        mock = MockServer(vendor=backend).start()
        with opened(backend, mock) as verifier:
            live = charges(verifier.check_liveness, ready["p1"])
            for situation, (probe, reference, fault) in SITUATIONS.items():
                if fault:
                    times = 2 if fault.get("status") == 401 and path else 1
                    struck = {"stage": "answer", "kind": "status", "times": times} | fault | path
                    mock.control.add_fault(Fault(**struck))
                elif fault == {}:
                    mock.stop()
                pictures = ready[probe], ready[reference]
                scores[situation, vendor] = charges(verifier.verify, *pictures)
        scores["a liveness check that finds a face", vendor] = live
    return matrix("What happens", scores)


def after_fault(backend, mock, other, fault):
    """Who answers after a fault; with a failover of its own, whose breaker is closed."""
    members = {"first": opened(backend, mock), "second": opened("didit", other)}
    with Failover(members) as failover:
        # Deepvue logs in, which no fault is to strike.
        failover.verify(make_card("p1"), make_card("p2"))
        if fault is None:
            mock.stop()
        else:
            mock.control.add_fault(Fault(**{"stage": "answer"} | fault))
        try:
            return failover.verify(make_card("p1"), make_card("p2")).route.answered_by
        except OutcomeUnknown:
            return "nobody"


def table_of_failover():
    continues = {strike: [] for strike in STRIKES}
    with MockServer() as other:
        for vendor, backend in VENDORS.items():
            mock = MockServer(vendor=backend).start()
            for strike, faults in STRIKES.items():
                (word,) = {after_fault(backend, mock, other, fault) for fault in faults or [None]}
                assert word in ("second", "nobody"), (vendor, strike)
                if word == "second":
                    continues[strike].append(vendor)
    rows = [cells("Fault", "Continues at"), "|---|---|"]
    for strike, vendors in continues.items():
        named = "all" if len(vendors) == len(VENDORS) else ", ".join(vendors)
        rows.append(cells(strike, named))
    return "\n".join(rows)


def test_each_vendor_that_compares_has_a_column():
    assert set(VENDORS.values()) == set(PAID)


@pytest.mark.docs
def test_the_failover_table_is_generated():
    check_part("reference/mock.md", "failover", table_of_failover())


@pytest.mark.docs
def test_the_charges_table_is_generated():
    check_part("vendors/reference.md", "charges", table_of_charges())


TESTS = DOCS.parent / "tests"
#: Unmodified packages that tests run against a mock: vendor, package, and the file of the tests,
#: which has the version if the pinned packages of the tests have not.
CLIENTS = [
    (
        "alibaba",
        "alibabacloud-facebody20191230",
        "mock_server/vendors/alibaba/test_alibabas_client.py",
    ),
    ("azure", "azure-ai-vision-face", "mock_server/vendors/azure/test_azure.py"),
    ("azure", "@azure-rest/ai-vision-face", "system/test_other_clients.py"),
    ("baidu", "baidu-aip", "mock_server/vendors/baidu/test_sdk.py"),
    ("compreface", "compreface-sdk", "mock_server/vendors/compreface/test_recognition.py"),
    ("didit", "didit-sdk", "system/test_didit_sdk.py"),
    ("onfido", "onfido-python", "system/test_onfido_sdks.py"),
    ("onfido", "@onfido/api", "system/test_onfido_sdks.py"),
    ("regula", "regula-facesdk-webclient", "system/test_regula_sdk.py"),
    ("rekognition", "boto3", "mock_server/vendors/rekognition/test_boto3.py"),
    ("stripe", "stripe", "system/test_stripe_sdks.py"),
    (
        "tencent",
        "tencentcloud-sdk-python-iai",
        "mock_server/vendors/tencent/test_tencents_client.py",
    ),
]
WEB_TESTS = "system/test_web_sdks.py"
WEB_SDKS = [
    ("didit", "@didit-protocol/sdk-web", WEB_TESTS),
    ("persona", "persona", WEB_TESTS),
    ("persona", "persona-react", WEB_TESTS),
    ("sumsub", "@sumsub/websdk", WEB_TESTS),
    ("sumsub", "@sumsub/websdk-react", WEB_TESTS),
    ("veriff", "@veriff/incontext-sdk", WEB_TESTS),
]
#: Packages that only load a script, which behind a door is the mock's own: none of the vendor's.
LOADERS = [("onfido", "onfido-sdk-ui", WEB_TESTS)]


def versions_of(package, file):
    """Return the versions of a package that a file of tests names, else the pinned one."""
    version = r"(?:==|@)(\d[\w.-]*)"
    named = re.findall(rf'["=(:]{re.escape(package)}{version}"', (TESTS / file).read_text())
    pinned = (DOCS.parent / "requirements/dev.txt").read_text()
    return [*dict.fromkeys(named)] or re.findall(rf"(?m)^{re.escape(package)}{version}", pinned)


def table_of_clients():
    rows = [cells("Vendor", "Clients of its API", "Web SDKs"), "|---" * 3 + "|"]
    for vendor in vendor_names():
        shown = []
        for packages in (CLIENTS, WEB_SDKS):
            own = [row for row in packages if row[0] == vendor]
            texts = [f"`{name}` {', '.join(versions_of(name, file))}" for _, name, file in own]
            shown.append("; ".join(texts) or "none was run")
        for owner, name, file in LOADERS:
            if owner == vendor:
                version = ", ".join(versions_of(name, file))
                shown[-1] += f"; `{name}` {version} loads the mock's script"
        rows.append(cells(f"[`{vendor}`](../vendors/{vendor}.md)", *shown))
    return "\n".join(rows)


def test_the_table_of_clients_is_generated():
    check_part("reference/mock.md", "clients", table_of_clients())


@pytest.mark.parametrize(("vendor", "package", "file"), [*CLIENTS, *WEB_SDKS, *LOADERS])
def test_each_client_of_the_table_has_tests_and_a_version(vendor, package, file):
    assert vendor in vendor_names()
    assert "def test_" in (TESTS / file).read_text()
    assert versions_of(package, file)


@pytest.mark.parametrize("page", ["README.md", "docs/index.md"])
def test_what_was_run_is_counted_beside_what_was_not(page):
    text = " ".join((DOCS.parent / page).read_text().split())
    vendors = {vendor for vendor, *_ in (*CLIENTS, *WEB_SDKS)}
    assert f"{len(CLIENTS)} clients and {len(WEB_SDKS)} web SDKs of {len(vendors)} vendors" in text
    rows = tomllib.loads(FILE_IN_CHECKOUT.read_text("utf-8"))["recorded"]
    counts = {}
    for row in rows:
        lacked = row["not_imitated"]
        batch = counts.setdefault(row["batch"], [0, 0, 0, 0])
        each = (row["answers"] - lacked, lacked, row["first"], row["now"])
        counts[row["batch"]] = [sum(pair) for pair in zip(batch, each, strict=True)]
    (first, lacked, alike, now), (later, no_more, alike_later, _) = counts[1], counts[2]
    of_vendors = len({row["vendor"] for row in rows})
    assert f"{first + later} [answers that others published]" in text
    assert f"of {of_vendors} vendors, on {max(row['judged'] for row in rows)}" in text
    assert f"of the first {first}, {alike} were alike" in text
    assert f"now {now}" in text
    assert f"of {later} that came later, {alike_later}" in text
    assert f"{lacked + no_more} answers to calls that the mocks lack" in text
    last = latest_comparison("deepface")
    assert len(read_comparisons()) == 1
    assert f"{last.software.removesuffix(' (PyPI)')}" in text
    assert f"{last.alike} of {last.exchanges} calls" in text
    assert f"{last.date}" in text
    assert last.different == 0


#: Tables of pages: page, module of docs/, name of the table.
TABLES = [
    ("vendors/index.md", "_feature_table", "costs"),
    ("vendors/index.md", "_feature_table", "buying"),
    ("vendors/index.md", "_feature_table", "choice"),
    ("vendors/index.md", "_feature_table", "faces"),
    ("vendors/index.md", "_feature_table", "prices"),
    ("vendors/index.md", "_feature_table", "terms"),
    ("apps/privacy.md", "_feature_table", "hosts"),
    ("vendors/reference.md", "_feature_table", "features"),
    ("vendors/reference.md", "_feature_table", "limits"),
    ("vendors/reference.md", "_feature_table", "recorded"),
    ("vendors/reference.md", "_feature_table", "differences"),
    ("test/test-offline.md", "_mock_tables", "cards"),
    ("reference/mock.md", "_mock_tables", "faults"),
]


@pytest.mark.parametrize(("page", "module", "name"), TABLES)
def test_a_table_is_generated(monkeypatch, page, module, name):
    monkeypatch.syspath_prepend(DOCS)
    make_table = getattr(importlib.import_module(module), f"table_of_{name.replace(' ', '_')}")
    check_part(page, name, make_table())


@pytest.mark.parametrize("name", ["outcomes", "operations"])
def test_a_list_of_the_control_api_is_generated(monkeypatch, name):
    monkeypatch.syspath_prepend(DOCS)
    lines = getattr(importlib.import_module("_mock_tables"), f"list_of_{name}")()
    check_part("reference/mock.md", name, lines)


@pytest.mark.parametrize(
    "vendor", [p.stem for p in (DOCS / "vendors").glob("*.md") if "switches of" in p.read_text()]
)
def test_the_list_of_switches_is_generated(monkeypatch, vendor):
    monkeypatch.syspath_prepend(DOCS)
    lines = importlib.import_module("_mock_tables").list_of_switches(vendor)
    check_part(f"vendors/{vendor}.md", f"switches of {vendor}", lines)


@pytest.mark.parametrize("vendor", BUNDLED_VENDORS)
def test_first_calls_are_on_the_vendors_page(monkeypatch, vendor):
    monkeypatch.syspath_prepend(DOCS)
    part = importlib.import_module("_feature_table").first_calls_to(vendor)
    check_part(f"vendors/{vendor}.md", "first calls", part)


@pytest.mark.parametrize("vendor", vendor_names())
def test_a_vendors_page_says_what_its_mock_has_and_its_keys(vendor):
    page = (DOCS / "vendors" / f"{vendor}.md").read_text()
    mock = section_of(page, "The mock")
    texts = {
        part
        for text, key in vendor_named(vendor).first_keys.items()
        for part in (text, key.client)
        if part is not None
    }
    assert words_not_in(mock, texts) == []


def test_every_switch_of_didit_is_among_the_questions():
    page = (DOCS / "vendors" / "didit.md").read_text()
    assert words_not_in(page, vendor_named("didit").switches) == []


def test_every_control_is_in_the_reference_with_its_operations():
    page = (DOCS / "reference" / "mock.md").read_text()
    with MockServer(vendor=["didit", "deepvue"]) as mock:
        controls = [mock.control]
        for vendor in mock.control.vendors():
            control = mock.of(vendor).control
            controls += [getattr(control, name) for name in control.extensions]
    for control in {type(control) for control in controls}:
        (shown,) = re.findall(rf"(?m)^::: (\S+\.{control.__name__})\n((?:    .*\n)*)", page)
        assert "members" not in shown[1].replace("inherited_members: true", ""), control


def test_the_error_table_is_generated():
    assert set(EXPECTED_ERRORS) == {*FAILURES, *STALLS}
    repeated = {True: "yes", False: "no", None: "any"}
    rows = [cells("Situation", "Error", "`charged`", "`retryable`"), "|---|---|---|---|"]
    for situation in FAILURES:
        expected = EXPECTED_ERRORS[situation]
        billed = " or ".join(f"`{charged.name}`" for charged in expected.charged)
        if situation is Situation.UNREADABLE_200:
            billed += "; `NO` too of an operation that is not declared as billed"
        names = " or ".join(f"`{error.__name__}`" for error in expected.classes)
        rows.append(cells(f"`{situation.name}`", names, billed, repeated[expected.retryable]))
    check_part("reference/testing.md", "errors", "\n".join(rows))


def test_every_group_of_rules_is_in_the_reference():
    page = (DOCS / "reference" / "testing.md").read_text()
    for theme in BackendContract.__bases__[:-1]:
        assert f"::: {theme.__module__}.{theme.__name__}\n" in page


#: What the reference quotes of the simulations.
QUOTED = (
    "95.4 to 100 %",
    "91.5 to 100 %",
    "93.4 to 99.5 %",
    "15 to 49 % lower",
    "9.8 to 37 %",
    "1.8 to 3.6 %",
    "64.2 to 90.6 %",
    "15.6 to 25.2 %",
    "1.2 to 2.1 %",
    "95.2",
    "97.1 %",
    "1.1 %",
    "6,150",
    "4 to 4.6 %",
)


@pytest.mark.parametrize(
    "page", ["docs/reference/comparison.md", "tests/kit/comparison/simulations.md"]
)
def test_quoted_figures_match_the_simulations_page(page):
    words = " ".join((DOCS.parent / page).read_text().split())
    assert not [figure for figure in QUOTED if figure not in words]


def test_the_reference_lists_every_column_state_and_key():
    page = (DOCS / "reference" / "comparison.md").read_text()
    assert words_not_in(section_of(page, "Scores"), FIELDS) == []
    assert words_not_in(section_of(page, "Run database"), PairState) == []
    keys = {field.name for field in attrs.fields(Requirements)} - {"name"}
    assert words_not_in(page, [*keys, *built_in()]) == []


@pytest.mark.parametrize("name", kit.__all__)
def test_every_name_of_the_kit_for_a_vendors_mock_is_in_the_reference(name):
    page = (DOCS / "reference" / "testing.md").read_text()
    assert re.search(rf"::: facematch_mock_server\.vendors\.kit\.{name}\b|`{name}`", page)
