"""Profiles of requirements: ours, and anybody's own file."""

import contextlib

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facematch_core import InvalidRequest
from facematch_core.comparison.gate import At, GateProfile, built_in, read_profile

OWN = {"title": "Our door", "max_fmr": 1e-3, "max_fnmr": 0.02}


def written(tmp_path, document):
    path = tmp_path / "door.toml"
    path.write_text(document if isinstance(document, str) else tomli_w.dumps(document))
    return path


def test_sp800_63a():
    """Its two rates, with where they stand; the threshold is chosen with room to the limit."""
    profile = read_profile("sp800-63a")
    assert (profile.max_fmr, profile.max_fnmr) == (1e-4, 1e-2)
    assert (profile.at, profile.confidence) == (At.REQUIRED_FMR, 0.95)
    assert profile.required_fmr == pytest.approx(profile.max_fmr / 5)
    assert "section 3.1.11" in profile.source
    assert "independent party" in profile.leaves_out


@pytest.mark.parametrize("name", built_in())
def test_every_profile_of_ours_can_be_read(name):
    """And says where it comes from."""
    assert read_profile(name).source
    assert read_profile(name).name == name


def test_one_of_ones_own(tmp_path):
    """Three keys are enough; the rest has defaults."""
    path = written(tmp_path, OWN)
    expected = GateProfile(
        name="door", title="Our door", max_fmr=1e-3, max_fnmr=0.02, required_fmr=1e-3 / 5
    )
    assert read_profile(path) == read_profile(str(path)) == expected
    assert expected.evaluation_confidence == pytest.approx(0.9)
    all_of_it = {
        **OWN,
        "required_fmr": 1e-3,
        "at": "default",
        "confidence": 0.99,
        "source": "the board",
        "leaves_out": "the weather",
    }
    found = read_profile(written(tmp_path, all_of_it))
    assert (found.at, found.required_fmr, found.confidence) == (At.DEFAULT, 1e-3, 0.99)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"max_fmr": 0}, "max_fmr must be a number above 0 and below 1, not 0"),
        ({"max_fmr": 1}, "max_fmr must be a number above 0 and below 1, not 1"),
        ({"max_fnmr": "0.01"}, "max_fnmr must be a number above 0 and below 1, not str of length"),
        ({"max_fnmr": True}, "max_fnmr must be a number above 0 and below 1, not bool"),
        ({"max_fnmr": float("nan")}, "max_fnmr must be a number"),
        ({"required_fmr": 0.01}, "required_fmr must not lie above max_fmr"),
        ({"confidence": 0.5}, "confidence must be a number above 0.5 and below 1, not 0.5"),
        ({"at": "both"}, 'at must be one of "required_fmr", "default", not str of length 4'),
        ({"at": ["default"]}, "at must be one of"),
        ({"title": ""}, "title must be text, not str of length 0"),
        ({"title": 5}, "title must be text, not 5"),
        ({"max_frr": 0.01}, "unknown key 'max_frr'; did you mean max_fmr?"),
    ],
    ids=str,
)
def test_wrong_profiles(tmp_path, change, told):
    """File and key are named, in one sentence."""
    path = written(tmp_path, {**OWN, **change})
    with pytest.raises(InvalidRequest, match=told) as caught:
        read_profile(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", OWN)
def test_a_key_that_is_missing(tmp_path, key):
    """What it is for, too."""
    with pytest.raises(InvalidRequest, match=f"needs {key}: "):
        read_profile(written(tmp_path, {k: v for k, v in OWN.items() if k != key}))


def test_no_such_profile(tmp_path):
    """A name is looked for among ours alone; of a file, why it cannot be read."""
    with pytest.raises(InvalidRequest, match="did you mean sp800-63a"):
        read_profile("sp800-63b")
    with pytest.raises(InvalidRequest, match=r"nothing.toml' cannot be read: No such file"):
        read_profile(tmp_path / "nothing.toml")
    with pytest.raises(InvalidRequest, match="cannot be read"):
        read_profile(tmp_path)
    with pytest.raises(InvalidRequest, match="cannot be read"):
        read_profile("a\0.toml")
    for content in (b"x = ", b"\xff", b"a = [" * 3000):
        path = tmp_path / "broken.toml"
        path.write_bytes(content)
        with pytest.raises(InvalidRequest, match="no TOML"):
            read_profile(path)
    path.write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(InvalidRequest, match="over 1048576 bytes"):
        read_profile(path)


values = st.one_of(
    st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.lists(st.integers())
)


@settings(suppress_health_check=list(HealthCheck))
@given(
    st.fixed_dictionaries(
        {},
        optional={
            key: values | st.floats(0, 1) | st.sampled_from(["default", "required_fmr"])
            for key in (*OWN, "required_fmr", "at", "confidence", "source", "other")
        },
    )
)
def test_any_file_is_a_profile_or_refused(tmp_path, document):
    """Whatever TOML says."""
    with contextlib.suppress(InvalidRequest):
        found = read_profile(written(tmp_path, document))
        assert 0 < found.required_fmr <= found.max_fmr < 1
