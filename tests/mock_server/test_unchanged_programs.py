"""Programs that take keys and address from the environment, and know nothing of a mock."""

import os
import pathlib
import re
import socket
import subprocess
import sys

import boto3
import pytest
import requests
from kit.cards import CARDS
from kit.of_vendors import of_vendors

import facematch_core as fm
from facematch_core import SessionStore, open_sessions, open_verifier
from facematch_core.base.addresses import HINT_HEADER, is_loopback
from facematch_core.call_log import CallLog
from facematch_core.config import opening
from facematch_core.config.plugins import backend_class
from facematch_mock_server.vendors import vendor_named, vendor_names

ADA = CARDS["p1"]
ADA_AGAIN = CARDS["p1-again"]
DOCUMENT = {"compared_with": "document"}
GIVEN = {"reference": ADA_AGAIN}
#: The settings that a program has in its code, and what it passes to `begin`.
SESSIONS = {
    **of_vendors("PROGRAM_SESSION"),
    "azure": ({}, GIVEN),
    "didit": ({"workflow_takes_reference": True}, GIVEN),
    "onfido": ({**DOCUMENT, "face_output": "selfie"}, {"any_document": True}),
    "persona": (DOCUMENT, {"any_document": True}),
    "rekognition": ({"expects": ["liveness"], "liveness_threshold": 90}, {}),
    "stripe": ({**DOCUMENT, "expects": ["match"]}, {"any_document": True}),
    "sumsub": (DOCUMENT, {"any_document": True}),
}
#: The pair vendors, and the thresholds of those that have none of their own.
PAIRS = {
    **of_vendors("PROGRAM_PAIR"),
    "alibaba": {"threshold": 60},
    "azure": {},
    "baidu": {},
    "deepvue": {"threshold": 60},
    "didit": {},
    "rekognition": {},
    "tencent": {},
}
ON_OWN_HOSTS = sorted(name for name in vendor_names() if vendor_named(name).hosts)
#: A text that no request, file or error may have.
REAL = "a-real-key-of-production-7f3e"
REAL_KEYS = {"BAIDU_API_KEY": f"bce-v3/ALTAK-{REAL}"}
#: Addresses of other services than the vendor's.
FOREIGN = "https://faces.internal.example"


def set_real(patch, vendor):
    """Set all keys and addresses of a vendor, as a developer's shell has them; return them."""
    variables = vendor_named(vendor).variables
    names = {name for way in variables.keys for name in way} | set(variables.without)
    values = {name: REAL_KEYS.get(name, REAL) for name in names}
    for name in (variables.address, variables.common_address):
        if name is not None:
            values[name] = FOREIGN
    values[f"{vendor.upper()}_ENVIRONMENT"] = "production"
    for name, value in values.items():
        patch.setenv(name, value)
    return values


@pytest.fixture
def real_environment(vendor, monkeypatch):
    """The vendor's real keys and address."""
    return set_real(monkeypatch, vendor)


@pytest.fixture
def connections(monkeypatch):
    """The hosts to which this process connects."""
    hosts = []
    connect = socket.socket.connect

    def noting(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            hosts.append(address[0])
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", noting)
    return hosts


@pytest.fixture
def sent(monkeypatch):
    """The requests of this process, as text."""
    texts = []
    send = requests.Session.send

    def noting(self, request, **options):
        texts.append(f"{request.url} {dict(request.headers)} {request.body!r}")
        return send(self, request, **options)

    monkeypatch.setattr(requests.Session, "send", noting)
    return texts


def check_is_secret(folder, sent, connections):
    assert sent
    assert not any(REAL in text for text in sent)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    assert not any(REAL.encode() in path.read_bytes() for path in files)
    assert connections
    assert all(is_loopback(host) for host in connections)


def run_session(vendor, where, finish):
    """A program with hosted sessions. It requires production, because it says nothing."""
    settings, arguments = SESSIONS[vendor]
    with SessionStore(where, open_sessions(vendor, **settings)) as store:
        payout = store.of("customer-17", purpose="payout", about="payout 8841")
        begun = payout.begin(**arguments)
        finish(begun.record.session_id)
        return payout.use(max_age_s=3600)


@pytest.fixture
def former_session(monkeypatch):
    """boto3's default session, which has read its keys before a fixture of the mock sets them."""
    set_real(monkeypatch, "rekognition")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    boto3.client("rekognition", region_name="eu-west-1")
    former = boto3.DEFAULT_SESSION
    yield
    assert boto3.DEFAULT_SESSION is former


@pytest.mark.parametrize("fixture", ["rekognition_server", "mock_door"])
@pytest.mark.usefixtures("former_session")
def test_boto3_reads_the_keys_anew_for_the_test(request, fixture):
    mock = request.getfixturevalue(fixture).of("rekognition")
    answer = boto3.client("rekognition", region_name="eu-west-1").compare_faces(
        SourceImage={"Bytes": ADA}, TargetImage={"Bytes": ADA_AGAIN}
    )
    assert answer["FaceMatches"]
    assert len(mock.control.charges()) == 1


def test_each_vendor_has_a_program():
    assert {*PAIRS, *SESSIONS} == {*ON_OWN_HOSTS}


@pytest.mark.parametrize("vendor", PAIRS)
@pytest.mark.usefixtures("real_environment")
def test_pair_program_runs(vendor, request, tmp_path, sent, connections):
    mock = request.getfixturevalue(f"{vendor}_mock")
    log = CallLog(f"sqlite:///{tmp_path}/calls.sqlite3", key="k" * 32)
    with open_verifier(vendor, log=log) as verifier:
        result = verifier.verify(ADA, ADA_AGAIN, **PAIRS[vendor])
    assert result.is_match
    assert result.environment is fm.Environment.MOCK
    assert mock.control.journal()
    check_is_secret(tmp_path, sent, connections)


@pytest.mark.parametrize("vendor", SESSIONS)
@pytest.mark.usefixtures("real_environment")
def test_session_program_runs(vendor, request, tmp_path, sent, connections):
    mock = request.getfixturevalue(f"{vendor}_mock")
    where = f"sqlite:///{tmp_path}/sessions.sqlite3"
    assert run_session(vendor, where, mock.control.sessions.finish) is fm.Use.FIRST
    check_is_secret(tmp_path, sent, connections)


@pytest.mark.parametrize("vendor", SESSIONS)
def test_session_program_starts_without_any_variable(vendor, request, tmp_path):
    mock = request.getfixturevalue(f"{vendor}_mock")
    where = f"sqlite:///{tmp_path}/sessions.sqlite3"
    assert run_session(vendor, where, mock.control.sessions.finish) is fm.Use.FIRST


@pytest.mark.parametrize("vendor", ["azure", "veriff", "rekognition"])
@pytest.mark.usefixtures("real_environment")
def test_server_sets_keys_and_address(vendor, request, tmp_path, connections, monkeypatch):
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    server = request.getfixturevalue(f"{vendor}_server")
    where = f"sqlite:///{tmp_path}/sessions.sqlite3"
    assert run_session(vendor, where, server.control.sessions.finish) is fm.Use.FIRST
    assert connections
    assert all(is_loopback(host) for host in connections)


@pytest.mark.parametrize("name", vendor_names())
def test_server_sets_keys(name, request):
    server = request.getfixturevalue(f"{name}_server")
    [keys, *_] = vendor_named(name).variables.keys or ({},)
    assert {variable: os.environ[variable] for variable in keys} == keys
    known = {*server.world.vendor.first_keys, server.client_id}
    known |= {key.client for key in server.world.vendor.first_keys.values()}
    assert set(keys.values()) <= known


def test_values_of_the_programs_own_stay(monkeypatch, request):
    own = {
        "DIDIT_WORKFLOW_ID": "0d9a1c52-6e0b-4c3f-8a44-0f6f1c2d3e4f",
        "ONFIDO_WORKFLOW_ID": "0d9a1c52-6e0b-4c3f-8a44-0f6f1c2d3e4f",
        "PERSONA_TEMPLATE_ID": "itmpl_own",
        "SUMSUB_LEVEL_NAME": "own",
        "TENCENTCLOUD_REGION": "ap-beijing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "FACE_ENDPOINT": "https://faces-of-ours.cognitiveservices.azure.com",
    }
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    for vendor in ("azure", "didit", "onfido", "persona", "rekognition", "sumsub", "tencent"):
        request.getfixturevalue(f"{vendor}_mock")
    assert {name: os.environ[name] for name in own} == own
    assert "AWS_REGION" not in os.environ


@pytest.mark.parametrize(
    ("is_set", "expected"),
    [
        ({"BAIDU_API_KEY"}, {"BAIDU_API_KEY": "bce-v3/ALTAK-mock/key"}),
        ({"BAIDU_SECRET_KEY"}, {"BAIDU_SECRET_KEY": "mock-baidu-secret"}),
        ({"ONFIDO_OAUTH_CLIENT_ID"}, {"ONFIDO_OAUTH_CLIENT_ID": "mock-onfido-client"}),
    ],
    ids=["API key", "app", "OAuth client"],
)
def test_keys_are_those_of_the_programs_way_to_sign_in(is_set, expected, monkeypatch, request):
    for name in is_set:
        monkeypatch.setenv(name, REAL)
    [name] = is_set
    request.getfixturevalue(f"{name.partition('_')[0].lower()}_mock")
    assert {name: os.environ[name] for name in expected} == expected
    assert ("ONFIDO_API_TOKEN" in os.environ) is False


def test_common_address_of_aws_stays_for_its_other_services(monkeypatch, request):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    mock = request.getfixturevalue("rekognition_mock")
    with open_verifier("rekognition") as verifier:
        assert verifier.verify(ADA, ADA_AGAIN).is_match
    assert os.environ["AWS_ENDPOINT_URL"] == "http://127.0.0.1:9"
    assert len(mock.control.journal()) == 1


@pytest.mark.parametrize("vendor", ON_OWN_HOSTS)
def test_key_that_was_read_at_import_reaches_the_mock_alone(
    vendor, real_environment, request, connections
):
    keys, *_ = vendor_named(vendor).variables.keys
    settings, _ = SESSIONS.get(vendor, ({}, {}))
    own_keys = {
        setting: real_environment[variable]
        for setting, variable in variables_of(vendor).items()
        if variable in keys
    }
    mock = request.getfixturevalue(f"{vendor}_mock")
    with pytest.raises(fm.VendorError) as caught:
        if vendor in PAIRS:
            with open_verifier(vendor, **own_keys) as verifier:
                verifier.verify(ADA, ADA_AGAIN, **PAIRS[vendor])
        else:
            with open_sessions(vendor, **settings, **own_keys) as sessions:
                plan = sessions.plan("customer-17", purpose="payout", any_document=True)
                sessions.start(plan)
    assert "this is not the mock's key" in str(caught.value)
    assert "import" in str(caught.value)
    assert REAL not in str(caught.value)
    [entry] = mock.control.journal()
    assert entry.key == "wrong"
    assert "not the mock's key" in entry.note
    assert all(is_loopback(host) for host in connections)


def variables_of(vendor):
    """The variables of a backend's settings, and of AWS's own credentials."""
    if vendor == "rekognition":
        return {
            "access_key_id": "AWS_ACCESS_KEY_ID",
            "secret_access_key": "AWS_SECRET_ACCESS_KEY",
        }
    return backend_class(vendor).environment_variables


def test_other_clients_get_the_hint_in_a_header(didit_mock):
    answer = requests.get(
        "https://verification.didit.me/v3/sessions/", headers={"x-api-key": REAL}, timeout=9
    )
    assert "read it later" in answer.headers[HINT_HEADER]
    revoked = didit_mock.control.add_key("live")
    didit_mock.control.revoke_key(revoked)
    answer = requests.get(
        "https://verification.didit.me/v3/sessions/", headers={"x-api-key": revoked}, timeout=9
    )
    assert HINT_HEADER not in answer.headers


def test_door_sets_the_keys_of_all_vendors(monkeypatch, request):
    for name in ON_OWN_HOSTS:
        set_real(monkeypatch, name)
    request.getfixturevalue("mock_door")
    for name in ON_OWN_HOSTS:
        variables = vendor_named(name).variables
        for variable in {variable for way in variables.keys for variable in way}:
            assert REAL not in os.environ[variable]
        assert not any(variable in os.environ for variable in variables.without)
        if variables.address is not None:
            assert os.environ[variables.address] != FOREIGN
    print_key = "import os; print(os.environ['DIDIT_API_KEY'])"
    command = [sys.executable, "-c", print_key]
    printed = subprocess.run(command, capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == "mock-live-key"


#: The fixtures of vendors and of the door; that of a vendor's own address needs a host.
FIXTURES = [
    *(f"{name}_server" for name in vendor_names()),
    *(f"{name}_mock" for name in ON_OWN_HOSTS),
    "mock_door",
]
#: A suite of its own, in which each test has one fixture.
SUITE = f"""
import pytest

@pytest.mark.parametrize("name", {FIXTURES})
def test_it(name, request):
    request.getfixturevalue(name)
"""


def test_pytest_lists_each_fixture_with_its_docstring(tmp_path, capsys):
    options = ["--fixtures", "-p", "no:cacheprovider", str(tmp_path)]
    pytest.main(options)
    printed = capsys.readouterr().out
    documents = dict(re.findall(r"(?m)^(\w+) -- .*\n    (.*)\n", printed))
    for name in FIXTURES:
        assert documents[name].startswith("The API")


def test_environment_is_back_after_each_test(tmp_path, monkeypatch):
    (tmp_path / "test_each_fixture_of_the_plug_in.py").write_text(SUITE)
    for name in ON_OWN_HOSTS:
        set_real(monkeypatch, name)
    before = dict(os.environ)
    opening_before = dict(vars(opening))
    options = ["-q", "-p", "no:cacheprovider", "--import-mode=importlib", str(tmp_path)]
    assert pytest.main(options) == 0
    # pytest.main itself sets and removes this one.
    before.pop("PYTEST_CURRENT_TEST", None)
    assert {n: v for n, v in os.environ.items() if n != "PYTEST_CURRENT_TEST"} == before
    assert vars(opening) == opening_before


# Production stays required


def start(vendor, **more):
    settings, arguments = SESSIONS[vendor]
    options = {name: value for name, value in arguments.items() if name == "reference"}
    with open_sessions(vendor, **settings, **more) as sessions:
        document = "any_document" in arguments
        return sessions.start(
            sessions.plan("customer-17", purpose="payout", any_document=document), **options
        )


@pytest.mark.parametrize("more", [{"require_environment": "production"}, "profile"], ids=str)
def test_program_that_requires_production_itself_is_told_where_to_set_it(
    more, persona_mock, tmp_path, monkeypatch
):
    if more == "profile":
        file = tmp_path / "facematch.toml"
        file.write_text(
            '[profiles.shop]\nbackend = "persona"\nrequire_environment = "production"\n'
            'compared_with = "document"\n'
        )
        sessions = open_sessions(profile="shop", config=file)
    else:
        sessions = open_sessions("persona", **DOCUMENT, **more)
    with sessions, pytest.raises(fm.EnvironmentMismatch, match="settings") as caught:
        sessions.start(sessions.plan("customer-17", purpose="payout", any_document=True))
    assert caught.value.billing.charged is fm.Charged.NO
    assert not persona_mock.control.journal()


def test_fixture_changes_what_its_own_vendor_requires_alone(persona_mock, monkeypatch):
    assert start("persona").state == "pending"
    monkeypatch.setenv("SUMSUB_APP_TOKEN", "prd:token")
    monkeypatch.setenv("SUMSUB_SECRET_KEY", "key")
    monkeypatch.setenv("SUMSUB_ENVIRONMENT", "mock")
    with pytest.raises(fm.EnvironmentMismatch):
        start("sumsub")


@pytest.mark.usefixtures("persona_mock", "sumsub_mock")
def test_fixtures_of_two_vendors_both_change_what_is_required():
    assert [start(vendor).state for vendor in ("persona", "sumsub")] == ["pending"] * 2


_VARIABLE = re.compile(r"""["'$]([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\b""")


def list_variables():
    """Each text in the sources that may name a variable."""
    texts = set()
    root = pathlib.Path(fm.__file__).parents[1]
    for folder in ("facematch_core", "backends", "mock_server", "comparison"):
        for file in (root / folder).rglob("*.py"):
            texts |= set(
                re.findall(r"""["'$]([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\b""", file.read_text())
            )
    return texts


@pytest.mark.parametrize("vendor", SESSIONS)
def test_no_variable_replaces_production_outside_of_a_fixture(vendor, monkeypatch, tmp_path):
    names = list_variables()
    assert {"FACEMATCH_CONFIG", "FACEMATCH_DOOR_PORT", "DIDIT_API_KEY"} <= names
    names |= {f"{name.upper()}_ENVIRONMENT" for name in vendor_names()}
    names |= {"FACEMATCH_ENVIRONMENT", "FACEMATCH_REQUIRE_ENVIRONMENT", "REQUIRE_ENVIRONMENT"}
    names |= {"PYTEST_CURRENT_TEST", "PYTEST_VERSION"}
    for name in names:
        monkeypatch.setenv(name, "mock")
    for variable, value in vendor_named(vendor).variables.settings.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "facematch.toml").write_text("")
    with pytest.raises(fm.EnvironmentMismatch, match="production is required") as caught:
        # The address of a mock, because "mock" at the vendor's own is refused in any case.
        start(vendor, base_url="http://127.0.0.1:9")
    assert caught.value.billing.charged is fm.Charged.NO
