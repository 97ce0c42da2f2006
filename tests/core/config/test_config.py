import contextlib
import os
import string
from typing import Literal

import attrs
import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kit.fakes import FakeBackend

import facematch_core as fm
from facematch_core.base.files import MAX_FILE_BYTES

CANARY = "sk-canary-9d2e"


@attrs.define(kw_only=True, eq=False)
class Configured(FakeBackend):
    api_key: fm.Secret
    level: int = 1
    ratio: float = 0.5
    strict: bool = False
    base_url: str = "https://api.example"
    environment_setting: fm.Environment = fm.Environment.PRODUCTION
    region: str | None = None
    scale: fm.Environment | None = attrs.field(default=None)
    model: Literal["fast", "exact"] | None = None

    name = "configured"
    environment_variables = {  # noqa: RUF012 - a class variable of the interface
        "api_key": "CONFIGURED_KEY",
        "level": "CONFIGURED_LEVEL",
        "strict": "CONFIGURED_STRICT",
    }

    def __attrs_post_init__(self):
        FakeBackend.__init__(self)


@pytest.fixture(autouse=True)
def _configured(monkeypatch):
    monkeypatch.setattr(fm.config.opening, "backend_class", lambda name: Configured)
    monkeypatch.setenv("CONFIGURED_KEY", CANARY)


def written(tmp_path, document):
    path = tmp_path / "facematch.toml"
    path.write_text(document if isinstance(document, str) else tomli_w.dumps(document))
    return path


def profile(**settings):
    return {"profiles": {"p": {"backend": "configured", "settings": settings}}}


def test_settings_precedence_is_argument_file_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("CONFIGURED_LEVEL", "7")
    monkeypatch.setenv("CONFIGURED_STRICT", "true")
    path = written(tmp_path, profile(level=3))
    setup = fm.config.opening.find_setup(profile="p", config=path, settings={"ratio": 0.9})
    origins = {s.name: (s.value, s.origin) for s in setup.settings}
    assert origins["level"][0] == 3
    assert origins["strict"] == (True, "$CONFIGURED_STRICT")
    assert origins["ratio"] == (0.9, "argument")
    assert origins["api_key"][1] == "$CONFIGURED_KEY"
    assert origins["region"] == (None, "default")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"levle": 1}, "did you mean level"),
        ({"level": True}, "level"),
        ({"strict": "false"}, "strict"),
        ({"environment_setting": "prod"}, '"production"'),
        ({"api_key": CANARY}, "must not be in the file"),
        ({"api_key": {"env": "NO_SUCH_VARIABLE"}}, "NO_SUCH_VARIABLE is not set"),
        ({"api_key": {"file": "no-such-file"}}, "cannot be read"),
        ({"api_key": {"value": CANARY}}, 'env = "NAME"'),
        ({"region": {"file": "region.txt"}}, "region.*are for secrets"),
    ],
    ids=str,
)
def test_invalid_setting_names_file_profile_and_key_but_not_the_value(tmp_path, settings, says):
    path = written(tmp_path, profile(**settings))
    with pytest.raises(fm.ConfigurationError, match=says) as caught:
        fm.open_verifier(profile="p", config=path)
    message = str(caught.value)
    assert CANARY not in message
    if "env" not in str(settings) and "file" not in str(settings):
        assert str(path) in message
        assert "[profiles.p]" in message


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("x = ", "not valid TOML"),
        ("profiles = 3", "must be a table"),
        ("default_profil = 'p'", "unknown key 'default_profil'.*did you mean default_profile"),
        ("[profiles.p]\nbackend = 'a'\nthreshhold = 5", "did you mean threshold"),
        ("[profiles.p]\nbackend = 'a'\nthreshold = 101", "between 0 and 100, not 101"),
        ("[profiles.p]\nbackend = 'a'\nthreshold = -0.5", "between 0 and 100, not -0.5"),
        ("[profiles.p]\nbackend = 'a'\nthreshold = 0.6", "for a score from 0 to 1 write 60"),
        ("[profiles.p]\nbackend = 'a'\nthreshold = nan", "a number"),
        ("[profiles.p]\nbackend = 'a'\nrequire_environment = 'x'", 'one of "production"'),
        ("[profiles.p]\nbackend = 'a'\nbudget = {cap=1, price={match=0.5}}", "a table of float"),
        ("[profiles.q]\nbackend = 'a'", "no profile 'p'"),
        ("default_profile = 'q'", "default_profile must name a profile of this file"),
        ("a = [" * 2000, "not valid TOML"),
        ("#" * (MAX_FILE_BYTES + 1), "over 1048576 bytes"),
        ("#" * MAX_FILE_BYTES, "no profile 'p'"),
    ],
    ids=lambda v: str(v)[:40],
)
def test_invalid_file_is_refused_with_a_one_line_error(tmp_path, document, says):
    with pytest.raises(fm.ConfigurationError, match=says) as caught:
        fm.open_verifier(profile="p", config=written(tmp_path, document))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("count", "end"), [(20, "team-18, team-19."), (21, "team-18, team-19 and 1 more.")]
)
def test_unknown_profile_is_refused_with_at_most_20_of_the_known(tmp_path, count, end):
    document = "".join(f"[profiles.team-{n:02}]\nbackend = 'a'\n" for n in range(count))
    with pytest.raises(fm.ConfigurationError) as caught:
        fm.open_verifier(profile="p", config=written(tmp_path, document))
    assert str(caught.value).endswith(end)


@attrs.define(kw_only=True, eq=False)
class Incomplete(Configured):
    solution: Literal["document", "selfie"]

    name = "incomplete"


def test_missing_setting_without_a_variable_is_named_with_its_values_and_place(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(fm.config.opening, "backend_class", lambda name: Incomplete)
    needs = 'The backend incomplete needs solution (one of "document", "selfie"): set it '
    with pytest.raises(fm.ConfigurationError) as caught:
        fm.open_verifier(profile="p", config=written(tmp_path, profile()))
    assert str(caught.value).endswith(f"{needs}in [profiles.p.settings].")
    with pytest.raises(fm.ConfigurationError) as caught:
        fm.open_verifier("incomplete")
    assert str(caught.value) == (
        f"{needs}in [profiles.NAME.settings] of the configuration file, or pass solution=VALUE "
        "in code."
    )


def test_opening_by_backend_name_reads_no_configuration_file(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEMATCH_CONFIG", str(written(tmp_path, "not = = toml")))
    assert fm.open_verifier("configured").backend.level == 1
    with pytest.raises(fm.ConfigurationError, match="not valid TOML"):
        fm.open_verifier(profile="p")
    for conflict in ({"profile": "p"}, {"config": "facematch.toml"}):
        with pytest.raises(fm.ConfigurationError, match=r"not both|name a profile instead"):
            fm.open_verifier("configured", **conflict)


def test_key_file_path_is_relative_to_the_configuration_file(tmp_path):
    (tmp_path / "key.txt").write_text("from-the-file\n")
    path = written(tmp_path, profile(api_key={"file": "key.txt"}))
    key = fm.open_verifier(profile="p", config=path).backend.api_key
    assert key.reveal() == "from-the-file"
    assert key.origin == str(tmp_path / "key.txt")


def test_variable_of_the_wrong_type_is_named_without_its_value(monkeypatch):
    for variable, value in (("CONFIGURED_LEVEL", CANARY), ("CONFIGURED_STRICT", "yes")):
        monkeypatch.setenv(variable, value)
        with pytest.raises(fm.ConfigurationError, match=variable) as caught:
            fm.open_verifier("configured")
        assert CANARY not in str(caught.value)
        monkeypatch.delenv(variable)


PROFILE_KEYS = [
    "settings",
    "threshold",
    "fit_images",
    "require_environment",
    "members",
    "budget",
    "circuit_breaker",
    "rate_limit",
    "retry",
    "expects",
    "compared_with",
]
KEYS = [
    "backend",
    "profiles",
    "p",
    "default_profile",
    "level",
    "strict",
    "api_key",
    "ratio",
    "env",
    "file",
    "configured",
    "CONFIGURED_KEY",
    "cap",
    "failures",
    "per_second",
    "times",
]
names = st.sampled_from(KEYS) | st.text(string.ascii_letters + "_-. \n\0é", max_size=8)
toml_values = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | names | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=10,
)
documents = st.dictionaries(names, toml_values, max_size=4) | st.builds(
    lambda settings: {"profiles": {"p": {"backend": "configured", **settings}}},
    st.dictionaries(st.sampled_from(PROFILE_KEYS), toml_values, max_size=4),
)


@settings(suppress_health_check=list(HealthCheck))
@given(documents.map(tomli_w.dumps).map(str.encode) | st.binary(max_size=200))
def test_any_file_gives_a_verifier_or_a_facematch_error(tmp_path, content):
    path = tmp_path / os.urandom(4).hex()
    path.write_bytes(content)
    with (
        contextlib.suppress(fm.FaceMatchError),
        fm.open_verifier(profile="p", config=path) as verifier,
    ):
        assert isinstance(verifier, fm.Verifier)
