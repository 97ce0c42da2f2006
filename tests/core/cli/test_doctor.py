import json
import re
from pathlib import Path

import pytest

from facematch_core.cli import doctor
from facematch_core.config import opening as config

SECRET = "sk-planted-9f31"

KEYED = """
    import attrs
    from facematch_core import Secret, config
    from facematch_core.backend import Backend

    @attrs.frozen(kw_only=True)
    class Keyed(Backend):
        api_key: Secret = attrs.field(converter=Secret.of)
        base_url: str = "https://somebody:pass-word@vendor.example/"
        spare: Secret | None = None
        tries: int = 3
        strict: bool = False
        hooks: tuple[Secret, ...] = ()
        hosts: tuple[str, ...] = ()

        name = "keyed"
        environment_variables = {"api_key": "KEYED_API_KEY", "spare": "KEYED_SPARE"}

        def match(self, call):
            raise NotImplementedError

        def diagnose(self):
            # Careless on purpose.
            return {"key": self.api_key.reveal(), "more": {"deep": [self.api_key.reveal(), 1]}}

    @attrs.frozen(kw_only=True)
    class Sick(Keyed):
        name = "sick"
        def diagnose(self):
            raise RuntimeError(self.api_key.reveal())
"""


@pytest.fixture
def keyed(plugin, monkeypatch):
    plugin(KEYED, {"facematch.backends": {"keyed": "Keyed", "sick": "Sick"}})
    monkeypatch.setenv("KEYED_API_KEY", SECRET)


@pytest.fixture
def profile(configured):
    """Makes a profile of these lines the default."""
    return lambda *lines: configured("\n".join(['default_profile = "p"\n[profiles.p]', *lines]))


def test_secret_is_never_shown(run, keyed):
    answer = run("doctor --backend keyed --json")
    assert SECRET not in answer.output
    assert "pass-word" not in answer.output
    diagnosis = json.loads(answer.stdout)["diagnosis"]
    assert diagnosis == {"key": "(hidden)", "more": {"deep": ["(hidden)", 1]}}


@pytest.mark.parametrize("login", ["somebody:@pass-word", "me@a.example:b/pass word"])
def test_credentials_in_urls_are_hidden(run_json, keyed, profile, login):
    addresses = f'base_url = "{login}@proxy.example"\nhosts = ["http://{login}@proxy.example"]'
    profile('backend = "keyed"\n[profiles.p.settings]', addresses)
    _, document = run_json("doctor")
    shown = {setting["name"]: setting["value"] for setting in document["settings"]}
    assert shown["base_url"] == "(hidden)@proxy.example"
    assert "http://(hidden)@proxy.example" in shown["hosts"]


PROFILES = """
default_profile = "p"
[profiles.p]
backend = "keyed"
threshold = 61
[profiles.p.settings]
tries = 5
api_key = { file = "key.txt" }
hosts = ["a.example", "b.example"]
[profiles.p.retry]
[profiles.p.budget]
cap = 5
currency = "USD"
price = { match = "0.1", liveness = "0.2" }
store = "memory"
[profiles.no-secret]
backend = "keyed"
settings = { api_key = "k" }
"""


def test_each_problem_is_named_and_the_rest_is_still_shown(screens, keyed, tmp_path, monkeypatch):
    (tmp_path / "empty.toml").write_text("")
    (tmp_path / "bad.toml").write_text(PROFILES.replace("61", "101"))
    (tmp_path / "key.txt").write_text(SECRET)
    (tmp_path / "own.toml").write_text(PROFILES)
    own = "doctor --config own.toml"
    # The backends of this machine are not compared.
    monkeypatch.setattr(doctor, "inspect_backends", lambda named: [])
    monkeypatch.delenv("KEYED_API_KEY")
    with screens("doctor") as show:
        show("a key is missing", "doctor --backend keyed", code=4)
        monkeypatch.setenv("KEYED_API_KEY", SECRET)
        show("a key is set", "doctor --backend keyed")
        answer = show("a plug-in that breaks", "doctor --backend sick", code=4)
        assert SECRET not in answer.output
        show("no such backend", "doctor --backend nope", code=4)
        show("no file", "doctor --config nope.toml", code=4)
        show("no default", "doctor --config empty.toml", code=4)
        show("no such profile", "doctor --config empty.toml --profile p", code=4)
        show("each setting with its origin, each policy", own)
        show("a threshold that is none", "doctor --config bad.toml", code=4)
        show("a key in the file is not missing", f"{own} --profile no-secret", code=4)
        show("no file at all", "doctor --profile p", code=4)


def test_facematch_toml_in_the_working_directory_is_not_loaded(run, tmp_path):
    (tmp_path / "facematch.toml").write_text("")
    user_file = config.user_file()
    user_file.parent.mkdir(parents=True)
    user_file.write_text("")
    words = " ".join(run("doctor").stdout.split())
    assert f"configuration: {user_file}. ./facematch.toml is not loaded automatically" in words


@pytest.mark.parametrize("place", ["--config", "$FACEMATCH_CONFIG", "user"])
@pytest.mark.usefixtures("photos")
def test_file_with_profiles_and_no_default_is_refused_with_their_names(
    run, run_json, monkeypatch, place
):
    file = Path("own.toml")
    if place == "user":
        file = config.user_file()
        file.parent.mkdir(parents=True)
    elif place == "$FACEMATCH_CONFIG":
        monkeypatch.setenv("FACEMATCH_CONFIG", str(file))
    file.write_text('[profiles.shop]\nbackend = "local"\n[profiles.desk]\nbackend = "local"\n')
    words = "--config own.toml" if place == "--config" else ""
    answer = run(f"verify selfie.jpg id.jpg {words}")
    assert answer.exit_code == 4
    assert "Its profiles: desk, shop." in answer.stderr
    code, document = run_json(f"doctor {words}")
    assert (code, document["backend"], document["usable"]) == (4, None, False)
    assert "Its profiles: desk, shop." in document["problem"]
    assert run(f"doctor --profile shop {words}").exit_code == 0


def test_store_is_not_opened_and_unsupported_store_urls_are_refused(run, tmp_path, profile):
    table = 'backend = "local"\n[profiles.p.budget]\ncap = 1\nstore ='
    profile(f'{table} "sqlite:///new.sqlite3"')
    before = sorted(tmp_path.rglob("*"))
    answer = run("doctor")
    assert answer.exit_code == 0, answer.output
    assert "cap 1, store" in answer.stdout
    assert sorted(tmp_path.rglob("*")) == before
    profile(f'{table} "postgresql+psycopg://nobody@127.0.0.1:9/calls"')
    assert run("doctor").exit_code == 0
    profile(table + ' { env = "NO_SUCH_STORE" }')
    assert "NO_SUCH_STORE is not set" in run("doctor --config facematch.toml").stdout
    # A container that its doctor calls usable would die as soon as it starts.
    never = "mysql://h/calls", "postgresql+nodriver://h/calls", "sqlite://"
    for store in ("calls.db", "nonsense://x/y", *never):
        profile(f'{table} "{store}"')
        answer = run("doctor")
        assert answer.exit_code == 4, answer.output
        assert "sqlite" in answer.stdout.lower()
        assert sorted(tmp_path.rglob("*")) == before


def test_backends_that_nobody_configured_are_in_one_line(run, run_json, configured, monkeypatch):
    configured('[profiles.p]\nbackend = "didit"')
    monkeypatch.setenv("DEEPVUE_CLIENT_ID", "an-id")
    shown = run("doctor --profile p").stdout
    listed, _, others = shown.partition("not configured: ")
    assert "DIDIT_API_KEY" in listed
    assert "DEEPVUE_CLIENT_SECRET" in listed
    assert "azure" not in listed
    assert {"azure", "rekognition", "regula"} <= set(others.split(" (")[0].split(", "))
    document = run_json("doctor --profile p")[1]
    configured_names = {each["name"] for each in document["backends"] if each["configured"]}
    assert configured_names == {"didit", "deepvue"}


def test_the_other_facematch_of_pypi_is_named(run, run_json, monkeypatch, tmp_path):
    folder = tmp_path / "facematch-1.0.1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: facematch\nVersion: 1.0.1\n")
    assert run_json("doctor")[1]["namesake"] is None
    monkeypatch.syspath_prepend(tmp_path)
    assert run_json("doctor")[1]["namesake"] == "1.0.1"
    shown = " ".join(run("doctor").stdout.split())
    assert "facematch 1.0.1 is another project" in shown


STRANGERS = """
    import attrs
    from facematch_core import Operation
    from facematch_core.models import ThresholdRule
    from facematch_core.backend import Backend, Capabilities
    from facematch_core.models import Retention

    class Good(Backend):
        name = "good"
        capabilities = Capabilities(
            operations=frozenset(Operation), retention=frozenset(Retention),
            threshold_rule=ThresholdRule.ABOVE, default_threshold=30.0,
            score_scale="good/v1", billed_operations=frozenset(Operation),
        )
        def match(self, call):
            raise NotImplementedError

    class Broken(Good):
        name = "broken"
        def __init__(self):
            raise RuntimeError("key=hunter2")

    class NoBackend:
        pass
"""


@pytest.fixture
def strangers(plugin):
    points = {"good": "Good", "broken": "Broken", "lost": "Missing", "other": "NoBackend"}
    plugin(STRANGERS, {"facematch.backends": points})


def test_installed_backends_are_listed_with_their_problems(run, strangers):
    answer = run("doctor", env={"COLUMNS": "160"})
    table = answer.stdout.partition("installed backend")[2].partition("\nextra ")[0]
    rows = {line.split()[0]: line for line in table.splitlines()[1:] if line[:1].isalpha()}
    usable = {name: rows[name].split()[1] for name in ("broken", "good", "local", "lost", "other")}
    assert usable == {"broken": "no", "good": "yes", "local": "yes", "lost": "no", "other": "no"}
    unusable = [name for name, row in rows.items() if row.split()[1] == "no"]
    assert re.findall("^  ([a-z]+): ", table, re.MULTILINE) == unusable
    assert {"keep", "30"} <= set(rows["good"].split())
    assert rows["good"].endswith("stranger 2.5")
    assert "lost: The backend lost of stranger cannot be imported" in answer.stdout
    assert "other: The backend other of stranger is not a subclass" in answer.stdout
    assert "hunter2" not in answer.output
    # On a narrow terminal cells wrap, and none is cut.
    narrow = run("doctor", env={"COLUMNS": "40"}).stdout
    assert ("liveness" in narrow, "\N{HORIZONTAL ELLIPSIS}" in narrow) == (True, False)
