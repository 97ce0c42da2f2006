"""`facematch doctor`: each setting and where it comes from, and never a secret."""

import importlib.metadata
import json

import pytest

from facematch_core import Secret, config
from facematch_core.cli import doctor
from facematch_core.cli.doctor import shown

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
def keyed(plugin):
    """Backends that need a key."""
    plugin(KEYED, {"facematch.backends": {"keyed": "Keyed", "sick": "Sick"}})


def test_local(run, run_json):
    """Without any configuration: the local backend, its settings and packages."""
    told = run("doctor")
    assert told.exit_code == 0
    assert "configuration: none (looked for /" in told.stdout
    assert "backend: local" in told.stdout
    assert "cached_pictures  1000   default" in told.stdout
    _, document = run_json("doctor")
    assert document["usable"] is True
    assert document["diagnosis"]["numpy"] == importlib.metadata.version("numpy")
    extras = {extra["name"]: extra for extra in document["extras"]}
    assert extras["local"]["present"] is True
    assert "all" not in extras


def test_secret_is_never_shown(run, run_json, keyed, monkeypatch):
    """It is said that a key is set, and where; the key is nowhere, whatever a plug-in does."""
    monkeypatch.setenv("KEYED_API_KEY", SECRET)
    answers = [run("doctor", "--backend", "keyed"), run("doctor", "--backend", "keyed", "--json")]
    for answer in answers:
        assert answer.exit_code == 0
        assert SECRET not in answer.output
        assert "pass-word" not in answer.output
    told = answers[0].stdout
    assert "api_key   set (from $KEYED_API_KEY)" in told
    assert "spare     not set" in told
    assert "https://(hidden)@vendor.example/" in told
    assert "key: (hidden)" in told
    document = json.loads(answers[1].stdout)
    assert document["diagnosis"] == {"key": "(hidden)", "more": {"deep": ["(hidden)", 1]}}


def test_missing_key(run, keyed):
    """A missing key is code 4, with the variable to set; what else is known is shown."""
    answer = run("doctor", "--backend", "keyed")
    assert answer.exit_code == 4
    assert "cannot be used: The backend keyed needs api_key" in answer.stdout
    assert "api_key  not set  $KEYED_API_KEY" in answer.stdout


def test_sick_plugin(run, keyed, monkeypatch):
    """A plug-in that breaks while it is looked at is named, without its words."""
    monkeypatch.setenv("KEYED_API_KEY", SECRET)
    answer = run("doctor", "--backend", "sick")
    assert answer.exit_code == 4
    assert "It fails with RuntimeError" in answer.stdout
    assert SECRET not in answer.output


def test_profile(run_json, run, keyed, tmp_path, configured):
    """File, profile and key file are named; the profile's thresholds are listed."""
    (tmp_path / "key.txt").write_text(SECRET)
    configured(
        'default_profile = "p"\n[profiles.p]\nbackend = "keyed"\nthreshold = 61\n'
        '[profiles.p.settings]\ntries = 5\napi_key = { file = "key.txt" }\n'
    )
    code, document = run_json("doctor")
    assert code == 0
    assert (document["backend"], document["profile"]) == ("keyed", "p")
    assert document["configuration"] == "facematch.toml ($FACEMATCH_CONFIG)"
    settings = {line["name"]: line for line in document["settings"]}
    assert settings["tries"]["value"] == "5"
    assert settings["tries"]["origin"] == "facematch.toml [profiles.p]"
    assert settings["api_key"]["value"] == "set (from key.txt)"
    assert document["verifier"] == {"threshold": 61}
    assert "facematch.toml (--config)" in run("doctor", "--config", "facematch.toml").stdout


def test_a_file_that_is_just_here(run, tmp_path):
    """Is not read, and the page says so, with what reads it; also beside a file of one's own."""
    (tmp_path / "facematch.toml").write_text('default_profile = "p"\n[profiles.p]\nbackend = 5\n')
    told = run("doctor")
    assert (told.exit_code, "backend: local" in told.stdout) == (0, True)
    assert "`facematch ... --config facematch.toml`" in " ".join(told.stdout.split())
    own = config.user_file()
    own.parent.mkdir(parents=True)
    own.write_text("")
    told = " ".join(run("doctor").stdout.split())
    assert f"configuration: {own}. The facematch.toml of this folder is not read" in told


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--backend", "nope"], "No backend is called 'nope'"),
        (["--profile", "p"], "There is no configuration file, so no profile 'p'"),
        (["--config", "nope.toml"], "nope.toml"),
        (["--config", "empty.toml"], "has no default_profile"),
        (["--config", "empty.toml", "--profile", "p"], "has no profile 'p'"),
    ],
)
def test_unusable(words, says, run, tmp_path):
    """Whatever cannot be used is code 4, in one sentence; the rest of the page stays."""
    (tmp_path / "empty.toml").write_text("")
    answer = run("doctor", *words)
    assert answer.exit_code == 4
    assert says in answer.stdout
    assert "extra" in answer.stdout


def test_no_file_is_made(run, tmp_path, configured):
    """A store that is not there yet is named, and stays away."""
    table = "[profiles.p.budget]\ncalls = 1\nstore = "
    store = '"sqlite:///new.sqlite3"'
    configured(f'default_profile = "p"\n[profiles.p]\nbackend = "local"\n{table}{store}\n')
    before = sorted(tmp_path.rglob("*"))
    answer = run("doctor")
    assert answer.exit_code == 0, answer.output
    assert "calls 1, store" in answer.stdout
    assert sorted(tmp_path.rglob("*")) == before
    missing = '{ env = "NO_SUCH_STORE" }'
    configured(f'default_profile = "p"\n[profiles.p]\nbackend = "local"\n{table}{missing}\n')
    assert "NO_SUCH_STORE is not set" in run("doctor", "--config", "facematch.toml").stdout


def test_bad_profile_thresholds(run, configured):
    """A profile that no verifier takes is found."""
    configured('default_profile = "p"\n[profiles.p]\nbackend = "local"\nthreshold = 101\n')
    assert run("doctor").exit_code == 4


def test_both_dlibs(run, monkeypatch):
    """`dlib` and `dlib-bin` together are warned of; it is no failure."""
    real = importlib.metadata.version
    monkeypatch.setattr(doctor.metadata, "version", lambda n: "20.0" if n == "dlib" else real(n))
    answer = run("doctor")
    assert answer.exit_code == 0
    assert "dlib and dlib-bin are both installed" in answer.stdout
    assert "never both: pip uninstall dlib dlib-bin" in answer.stdout


def test_missing_extra(run, monkeypatch):
    """An extra that is missing comes with the line that installs it; a twin counts."""

    def version(name):
        if name in ("dlib-bin", "pillow-heif"):
            raise importlib.metadata.PackageNotFoundError(name)
        return "20.0"

    monkeypatch.setattr(doctor.metadata, "version", version)
    told = run("doctor").stdout
    assert 'for heif: pip install "facematch-core[heif]"' in told
    assert "dlib-bin (dlib 20.0 instead)" in told
    assert "for local" not in told


def test_not_installed(run, monkeypatch):
    """Run from its folder alone, nothing is known of extras, and nothing breaks."""

    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(doctor.metadata, "requires", missing)
    assert list(doctor.extras()) == []
    assert "facematch 0." in run("doctor").stdout


def test_values_for_people():
    """Values that could hide something show their type alone."""
    assert shown(Secret("x", origin="$X")) == "set (from $X)"
    assert shown({"a": 1}) == "a dict"
    assert shown(True) == "true"
