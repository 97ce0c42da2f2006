"""Configuration: which file, which profile, strict settings, and no value in any message."""

import contextlib
import os
import string
from typing import Literal

import attrs
import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kit.fakes import FakeBackend, picture

from facematch_core import (
    ConfigurationError,
    Environment,
    FaceMatchError,
    Secret,
    ThresholdSource,
    Verifier,
    config,
    open_verifier,
)
from facematch_core.backend import Compared, EngineBackend
from facematch_core.files import MAX_FILE_BYTES, MAX_TOML_BYTES

CANARY = "sk-canary-9d2e"


@attrs.define(kw_only=True, eq=False)
class Configured(FakeBackend):
    """A backend with a setting of every type."""

    api_key: Secret
    level: int = 1
    ratio: float = 0.5
    strict: bool = False
    base_url: str = "https://api.example"
    environment_setting: Environment = Environment.PRODUCTION
    region: str | None = None
    scale: Environment | None = attrs.field(default=None)
    model: Literal["fast", "exact"] | None = None

    name = "configured"
    environment_variables = {  # noqa: RUF012 - a class variable of the interface
        "api_key": "CONFIGURED_KEY",
        "level": "CONFIGURED_LEVEL",
        "strict": "CONFIGURED_STRICT",
    }

    def __attrs_post_init__(self):
        FakeBackend.__init__(self)


@attrs.frozen(kw_only=True)
class Worded(EngineBackend):
    """Made by a program itself."""

    name = "worded"
    model: Literal["fast", "exact"] = "fast"

    def compare(self, call):
        return Compared(score=None)


@pytest.fixture(autouse=True)
def _configured(monkeypatch):
    monkeypatch.setattr(config, "backend_class", lambda name: Configured)
    monkeypatch.setenv("CONFIGURED_KEY", CANARY)


def written(tmp_path, document):
    path = tmp_path / "facematch.toml"
    path.write_text(document if isinstance(document, str) else tomli_w.dumps(document))
    return path


def profile(**settings):
    return {"profiles": {"p": {"backend": "configured", "settings": settings}}}


def test_a_profile_opens_a_verifier(tmp_path):
    """Thresholds and settings come from the file, the key from the environment."""
    path = written(
        tmp_path,
        {
            "default_profile": "desk",
            "profiles": {
                "desk": {
                    "backend": "configured",
                    "threshold": 55,
                    "settings": {"level": 3, "strict": True},
                }
            },
        },
    )
    with open_verifier(profile="desk", config=path) as verifier:
        assert (verifier.backend.level, verifier.backend.strict) == (3, True)
        assert verifier.backend.api_key.reveal() == CANARY
        result = verifier.verify(picture(), picture())
        assert (result.threshold.value, result.threshold.source) == (55, ThresholdSource.PROFILE)
    assert open_verifier(config=path).backend.level == 3


def test_an_editor_that_begins_a_file_with_a_mark(tmp_path):
    """Of the order of bytes: it is passed over, once."""
    path = written(tmp_path, "\ufeffdefault_profile = 'p'\n[profiles.p]\nbackend = 'configured'\n")
    with open_verifier(config=path, api_key="a key") as verifier:
        assert verifier.backend.name == "configured"


def test_arguments_go_before_the_file_and_the_file_before_the_environment(tmp_path, monkeypatch):
    """And doctor can tell where each setting came from."""
    monkeypatch.setenv("CONFIGURED_LEVEL", "7")
    monkeypatch.setenv("CONFIGURED_STRICT", "true")
    path = written(tmp_path, profile(level=3))
    planned = config.plan(profile="p", config=path, settings={"ratio": 0.9})
    origins = {s.name: (s.value, s.origin) for s in planned.settings}
    assert origins["level"][0] == 3
    assert origins["strict"] == (True, "$CONFIGURED_STRICT")
    assert origins["ratio"] == (0.9, "argument")
    assert origins["api_key"][1] == "$CONFIGURED_KEY"
    assert origins["region"] == (None, "default")


def test_which_file_is_read(tmp_path, monkeypatch):
    """The named one, then $FACEMATCH_CONFIG, then the user's own; never one that is just here."""
    monkeypatch.chdir(tmp_path)
    written(tmp_path, profile())
    assert config.find_config() is None
    own = config.user_file()
    own.parent.mkdir(parents=True)
    own.write_text("")
    assert config.find_config() == own
    monkeypatch.setenv("FACEMATCH_CONFIG", str(tmp_path / "other.toml"))
    assert config.find_config() == tmp_path / "other.toml"
    assert config.find_config(tmp_path / "named.toml") == tmp_path / "named.toml"


def test_a_file_that_is_just_here_is_told_of(tmp_path, monkeypatch):
    """Where a profile is missing: nobody reads it, and one way to read it is to name it."""
    monkeypatch.chdir(tmp_path)
    told = "`facematch ... --config facematch.toml`"
    with pytest.raises(ConfigurationError) as caught:
        open_verifier(profile="p")
    assert told not in caught.value.message
    path = written(tmp_path, profile())
    with pytest.raises(ConfigurationError) as caught:
        open_verifier(profile="p")
    assert told in caught.value.message
    own = config.user_file()
    own.parent.mkdir(parents=True)
    own.write_text("[profiles.q]\nbackend = 'configured'\n")
    with pytest.raises(ConfigurationError, match="no profile 'p'") as caught:
        open_verifier(profile="p")
    assert told in caught.value.message
    with pytest.raises(ConfigurationError, match="no profile 'q'") as caught:
        open_verifier(profile="q", config=path)
    assert told not in caught.value.message


@pytest.mark.skipif(os.name != "posix", reason="the system has no such rights")
def test_a_file_that_others_may_change_is_refused(tmp_path, monkeypatch):
    """However it is named: it says who gets keys and faces. The sentence has the way out."""
    path = written(tmp_path, profile())
    for mode in (0o666, 0o602):
        path.chmod(mode)
        with pytest.raises(ConfigurationError, match=f"mode {mode:o}.*`chmod go-w {path}`"):
            open_verifier(profile="p", config=path)
    monkeypatch.setenv("FACEMATCH_CONFIG", str(path))
    with pytest.raises(ConfigurationError, match="may be changed by others"):
        open_verifier(profile="p")
    path.chmod(0o664)  # the group of one's own
    open_verifier(profile="p").close()
    monkeypatch.setattr("os.getgid", lambda: path.stat().st_gid + 1)
    with pytest.raises(ConfigurationError, match="may be changed by others"):
        open_verifier(profile="p")


def test_an_argument_may_name_an_enum_by_its_word():
    """As a file does; another word is refused."""
    opened = open_verifier("configured", environment_setting="sandbox")
    assert opened.backend.environment_setting is Environment.SANDBOX
    for value in ("prod", 5):
        with pytest.raises(ConfigurationError, match='"production"'):
            open_verifier("configured", environment_setting=value)


@pytest.mark.parametrize("value", ["slow", True, ""])
def test_a_setting_of_some_words_takes_no_other(value):
    """Whoever gives it: a file (below), or a program."""
    assert open_verifier("configured", model="exact").backend.model == "exact"
    with pytest.raises(ConfigurationError, match='model must be one of "fast", "exact", not'):
        open_verifier("configured", model=value)
    with pytest.raises(ConfigurationError, match='"exact"'):
        Worded(model=value)


def test_a_backend_by_name_reads_no_file(tmp_path, monkeypatch):
    """A file that is broken does not matter then."""
    monkeypatch.setenv("FACEMATCH_CONFIG", str(written(tmp_path, "not = = toml")))
    assert open_verifier("configured").backend.level == 1
    with pytest.raises(ConfigurationError, match="not valid TOML"):
        open_verifier(profile="p")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"levle": 1}, "did you mean level"),
        ({"level": "3"}, "a whole number, not str of length 1"),
        ({"level": True}, "a whole number, not bool"),
        ({"level": 1.0}, "a whole number, not float"),
        ({"strict": "false"}, "true or false, not str of length 5"),
        ({"strict": 0}, "true or false, not int"),
        ({"ratio": "0.5"}, "a number"),
        ({"base_url": ["x"]}, "text, not list of length 1"),
        ({"environment_setting": "prod"}, '"production"'),
        ({"model": "slow"}, 'model must be one of "fast", "exact", not str of length 4'),
        ({"api_key": CANARY}, "does not belong in the file"),
        ({"api_key": {"env": "NO_SUCH_VARIABLE"}}, "NO_SUCH_VARIABLE is not set"),
        ({"api_key": {"file": "no-such-file"}}, "cannot be read"),
        ({"api_key": {"value": CANARY}}, 'env = "NAME"'),
        ({"api_key": 5}, 'env = "NAME"'),
    ],
    ids=str,
)
def test_wrong_settings(tmp_path, settings, says):
    """File, profile and key are named; the value is not."""
    path = written(tmp_path, profile(**settings))
    with pytest.raises(ConfigurationError, match=says) as caught:
        open_verifier(profile="p", config=path)
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
        ("[profiles]\np = 3", "must be a table"),
        ("[profiles.p]\nthreshold = 5", "needs backend"),
        ("[profiles.p]\nbackend = 'a'\nthreshhold = 5", "did you mean threshold"),
        ("[profiles.p]\nbackend = 'a'\nthreshold = true", "a number, not bool"),
        ("[profiles.p]\nbackend = 'a'\nthreshold = 101", "between 0 and 100"),
        ("[profiles.p]\nbackend = 'a'\nthreshold = nan", "a number"),
        ("[profiles.p]\nbackend = 'a'\nrequire_environment = 'x'", 'one of "production"'),
        ("[profiles.p]\nbackend = 3", "text, not int"),
        ("default_profile = 'q'\n[profiles.p]\nbackend = 'a'", "did you mean|known: p"),
        ("[profiles.q]\nbackend = 'a'", "no profile 'p'"),
        ("\ufeff\ufeff[profiles.p]", "not valid TOML"),
        ("a = [" * 2000, "not valid TOML"),
        # tomllib takes time for the square of a key's parts.
        ("\n[" + "a." * 101 + "a]", "Line 2 .* over 100 dots"),
        (f"# {'.' * 101}\n{'a.' * 100}a = 1", "unknown key"),
        ("#" * (MAX_TOML_BYTES + 1), "over 131072 bytes"),
    ],
    ids=lambda v: str(v)[:40],
)
def test_wrong_files(tmp_path, document, says):
    """One sentence each."""
    with pytest.raises(ConfigurationError, match=says) as caught:
        open_verifier(profile="p", config=written(tmp_path, document))
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    """Missing, a folder, not text, too large."""
    (tmp_path / "binary.toml").write_bytes(b"\xff\xff")
    (tmp_path / "large.toml").write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    for path in (tmp_path / "nothing", tmp_path, tmp_path / "binary.toml", tmp_path / "large.toml"):
        with pytest.raises(ConfigurationError):
            open_verifier(profile="p", config=path)


def test_nothing_named_and_no_file():
    """The sentence tells both ways out."""
    with pytest.raises(ConfigurationError, match="Name a backend"):
        open_verifier()
    with pytest.raises(ConfigurationError, match="name a profile instead"):
        open_verifier("configured", config="facematch.toml")
    with pytest.raises(ConfigurationError, match="not both"):
        open_verifier("configured", profile="p")


def test_a_needed_setting_that_is_missing(tmp_path, monkeypatch):
    """The sentence names the variable to set."""
    monkeypatch.delenv("CONFIGURED_KEY")
    with pytest.raises(ConfigurationError, match="CONFIGURED_KEY"):
        open_verifier("configured")


def test_a_key_file_beside_the_configuration(tmp_path):
    """A relative path is relative to the configuration, not to the current folder."""
    (tmp_path / "key.txt").write_text("from-the-file\n")
    path = written(tmp_path, profile(api_key={"file": "key.txt"}))
    key = open_verifier(profile="p", config=path).backend.api_key
    assert key.reveal() == "from-the-file"
    assert key.origin == str(tmp_path / "key.txt")


def test_odd_environment_variables(monkeypatch):
    """Text that is no such value is refused without showing it."""
    for variable, value in (("CONFIGURED_LEVEL", CANARY), ("CONFIGURED_STRICT", "yes")):
        monkeypatch.setenv(variable, value)
        with pytest.raises(ConfigurationError, match=variable) as caught:
            open_verifier("configured")
        assert CANARY not in str(caught.value)
        monkeypatch.delenv(variable)


def test_a_keyword_is_an_argument_of_the_verifier_or_a_setting():
    """What is unknown to both is refused with the nearest name of either."""
    with open_verifier("configured", level=3, threshold=61) as verifier:
        assert verifier.backend.level == 3
        assert verifier.verify(picture(), picture()).threshold.value == 61
    for keyword, near in (("levle", "level"), ("treshold", "threshold"), ("settings", "known|did")):
        with pytest.raises(ConfigurationError, match=near) as caught:
            open_verifier("configured", **{keyword: CANARY})
        assert CANARY not in str(caught.value)
        assert str(caught.value).startswith("The backend configured")


texts = st.text(st.characters(codec="utf-8"), max_size=200)
words = st.sampled_from(
    [
        "backend",
        "profiles",
        "p",
        "settings",
        "threshold",
        "default_profile",
        "level",
        "strict",
        "api_key",
        "ratio",
        "env",
        "file",
        "configured",
        "CONFIGURED_KEY",
        "fit_images",
        "members",
        "budget",
        "circuit_breaker",
        "calls",
        "failures",
    ]
) | st.text(string.ascii_letters + "_-. \n\0é", max_size=8)
toml_values = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | words
    | st.datetimes()
    | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4),
    max_leaves=10,
)
documents = st.dictionaries(words, toml_values, max_size=4) | st.fixed_dictionaries(
    {
        "profiles": st.fixed_dictionaries(
            {
                "p": st.fixed_dictionaries(
                    {"backend": st.just("configured") | toml_values},
                    optional={
                        "settings": st.dictionaries(words, toml_values, max_size=3),
                        "threshold": toml_values,
                        "fit_images": toml_values,
                        "require_environment": words,
                        "members": st.lists(words, max_size=2),
                        "budget": st.dictionaries(words, st.integers(), max_size=2),
                        "circuit_breaker": st.dictionaries(words, st.integers(), max_size=1),
                    },
                )
            }
        )
    },
    optional={"default_profile": words},
)


@settings(max_examples=max(300, settings().max_examples), suppress_health_check=list(HealthCheck))
@given(documents)
def test_any_settings_file_gives_a_verifier_or_an_error_of_our_tree(tmp_path, document):
    """Thousands of files, and no traceback among them."""
    path = written(tmp_path, document)
    with contextlib.suppress(FaceMatchError), open_verifier(profile="p", config=path) as verifier:
        assert isinstance(verifier, Verifier)


@settings(max_examples=max(150, settings().max_examples), suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=200) | texts.map(str.encode))
def test_any_bytes_as_a_settings_file(tmp_path, content):
    """Not even what is no TOML at all."""
    path = tmp_path / os.urandom(4).hex()
    path.write_bytes(content)
    with contextlib.suppress(FaceMatchError):
        open_verifier(profile="p", config=path)
    path.unlink()
