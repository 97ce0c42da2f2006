"""`facematch verify` and `facematch liveness`: options in, a result out."""

import enum
import json

import attrs
import pytest
from kit.calibrations import calibration
from kit.fakes import FakeOptions, liveness_result, match_result

from facematch_core import (
    Advice,
    Billing,
    Charged,
    Decision,
    Environment,
    Ids,
    LiveMatchResult,
    LivenessResult,
    MatchResult,
    ResultWarning,
    Retention,
    Route,
    Score,
    Skipped,
    Threshold,
    ThresholdRule,
    ThresholdSource,
    WarningCode,
)
from facematch_core.cli import common
from facematch_core.cli.verify import vendor_options
from facematch_core.errors import (
    InvalidRequest,
    RequestRejected,
    Unsupported,
)


def test_match_in_plain_words(run, photos, scripted):
    """One line says it; charge and time follow."""
    answer = run("verify", *photos)
    first, second = answer.stdout.splitlines()
    assert first == (
        "MATCH  score 80 (fake/v1, threshold at least 50, the default)  "
        "same person, as far as this engine can tell"
    )
    assert second.startswith("  fake, charged (the script says so), 0.")


def test_threshold_of_the_caller(run, photos, scripted):
    """`--threshold` decides, and is told without an author."""
    answer = run("verify", *photos, "--threshold", 90, "--rotate")
    assert answer.exit_code == 1
    assert answer.stdout.startswith("NO MATCH  score 80 (fake/v1, threshold at least 90)")


def test_review_threshold(run, photos, scripted):
    """A pass below the review threshold is one for a person."""
    answer = run("verify", *photos, "--review-threshold", 85)
    assert answer.exit_code == 3
    assert "REVIEW" in answer.stdout
    assert "review up to 85" in answer.stdout


def test_every_option_arrives(run, photos, scripted):
    """What is given reaches the backend, and nothing else does."""
    words = ["--rotate", "--keep", "--caller-ref", "case 7", "--metadata", "a=1", "--metadata"]
    answer = run("verify", *photos, *words, "b=x=y", "-o", "level=3")
    assert answer.exit_code == 0
    call = scripted.calls[0]
    assert call.rotate
    assert call.retention is Retention.KEEP
    assert call.caller_ref == "case 7"
    assert call.metadata == {"a": "1", "b": "x=y"}
    assert call.options == FakeOptions(level=3)


def test_defaults_ask_for_nothing(run, photos, scripted):
    """Without options nothing is turned, kept, or passed on."""
    run("verify", *photos)
    call = scripted.calls[0]
    assert (call.rotate, call.retention) == (False, Retention.MINIMAL)
    assert (call.caller_ref, call.metadata, call.options) == (None, None, None)


def test_json_is_the_result(run_json, photos, scripted):
    """--json prints what `to_dict` gives, and it can be read back."""
    code, document = run_json("verify", *photos)
    assert code == 0
    assert MatchResult.from_dict(document).score == Score(80, "fake/v1")


@pytest.mark.parametrize(
    ("more", "words", "warned"),
    [
        ("", (), True),
        ("", ("--max-fmr", "1e-3"), False),
        ("", ("--threshold", "60"), False),
        ("threshold = 60", (), False),
    ],
)
def test_a_calibration_that_is_not_used(
    run, photos, scripted, tmp_path, configured, *, more, words, warned
):
    """Its thresholds do nothing without --max-fmr: the command says so, and which there are."""
    (tmp_path / "c.json").write_text(json.dumps(calibration().to_dict()))
    configured(f'[profiles.door]\nbackend = "fake"\ncalibration = "c.json"\n{more}\n')
    answer = run("verify", *photos, "--profile", "door", *words)
    assert answer.exit_code == 0, answer.output
    said = "warning: the calibration of fake is not used without --max-fmr (it has 0.001, 0.0001)"
    assert (said in answer.stderr) is warned


def test_live(run, run_json, photos, scripted):
    """--live makes two calls and shows both."""
    answer = run("verify", *photos, "--live", "--liveness-threshold", 20)
    assert answer.exit_code == 0
    assert [c.operation.value for c in scripted.calls] == ["liveness", "match"]
    assert scripted.calls[0].threshold.value == 20
    lines = answer.stdout.splitlines()
    assert lines[0] == "VERIFIED  live and same person, as far as this engine can tell"
    assert lines[1].startswith("liveness: LIVE  score 80")
    assert any(line.startswith("match: MATCH  score 80") for line in lines)
    _, document = run_json("verify", *photos, "--live")
    assert LiveMatchResult.from_dict(document).is_verified


def test_not_live_is_not_paid_twice(run, photos, scripted):
    """The comparison that was not asked for is shown as that."""
    scripted.score = 5
    answer = run("verify", *photos, "--live")
    assert answer.exit_code == 1
    assert "match: not compared, not charged" in answer.stdout
    assert len(scripted.calls) == 1


def test_liveness(run, run_json, photos, scripted):
    """`liveness` takes the same options and shows the same line."""
    answer = run("liveness", photos[0], "--threshold", 85, "--rotate")
    assert answer.exit_code == 1
    assert answer.stdout.startswith("NOT LIVE  score 80 (fake/v1, threshold at least 85)")
    code, document = run_json("liveness", photos[0])
    assert code == 0
    assert LivenessResult.from_dict(document).is_live


def test_quality_is_shown(run, photos, scripted):
    """What a vendor tells of the picture stands below."""
    scripted.script = [liveness_result(quality=71.5, luminance=40)]
    assert "quality 71.5, luminance 40" in run("liveness", photos[0]).stdout


def test_liveness_of_a_matcher(run, photos):
    """The local backend has none: its sentence, and the code for configuration."""
    answer = run("liveness", photos[0])
    assert answer.exit_code == 4
    assert "has no liveness call" in answer.stderr


def test_warnings_come_with_advice(run, photos, scripted):
    """A warning is told with the vendor's own words and what to do."""
    warnings = (
        ResultWarning(code=WarningCode.MULTIPLE_FACES, tag="MANY", text="Two faces."),
        ResultWarning(code=WarningCode.OTHER, tag="ODD_ONE"),
        ResultWarning(code=WarningCode.TOO_DARK),
    )
    scripted.script = [match_result(warnings=warnings)]
    told = run("verify", *photos).stdout
    assert "warning: Two faces. [MANY] Advice: use a photograph that shows one face." in told
    assert "warning: ODD_ONE.\n" in told
    assert "warning: too dark. Advice: take the photograph again" in told


def test_a_vendor_writes_no_line_of_ours(run, photos, scripted):
    """A newline in its words forges no decision, wherever they are shown."""
    forged = "odd\nMATCH  score 99\r\x1b[2J\u202e"
    warning = ResultWarning(code=WarningCode.OTHER, tag=forged, text=forged)
    skipped = (Skipped(backend="first", reason="RateLimited", message=forged),)
    scripted.script = [
        match_result(
            Decision.NO_MATCH,
            warnings=(warning,),
            ids=Ids(vendor=forged, session=forged),
            billing=Billing(ground=forged),
            route=Route(answered_by="b", skipped=skipped),
        ),
        RequestRejected(forged),
    ]
    answer = run("verify", *photos)
    lines = answer.stdout.splitlines()
    assert lines[0].startswith("NO MATCH")
    assert all(line.startswith("  ") for line in lines[1:])
    assert "MATCH  score 99" in answer.stdout
    refused = run("verify", *photos)
    assert len(refused.stderr.splitlines()) == 1
    assert not {"\x1b", "\r", "\u202e"} & set(answer.output + refused.output)


HOSTED = """
    import attrs
    from facematch_core import Billing, Charged, Decision, Environment, MatchResult
    from facematch_core.backend import Backend

    @attrs.frozen(kw_only=True)
    class Hosted(Backend):
        name = "hosted"
        allowed_hosts = frozenset({"vendor.example"})
        base_url: str = "https://vendor.example/v1"

        @property
        def environment(self):
            return Environment.MOCK

        def match(self, call):
            free = Billing(Charged.NO)
            return MatchResult(decision=Decision.MATCH, backend="hosted", billing=free)

    @attrs.frozen(kw_only=True)
    class Own(Hosted):
        name = "own"
        allowed_hosts = frozenset()
        base_url: str = "http://user:pass@127.0.0.1:3000/x"
"""


@pytest.mark.parametrize(
    ("profile", "says"),
    [
        ('backend = "hosted"', ""),
        (
            'backend = "hosted"\n[profiles.p.settings]\nbase_url = "http://127.0.0.1:47001"',
            "note: hosted is asked at 127.0.0.1:47001, not the vendor's own host\n",
        ),
        ('backend = "own"', "note: own is asked at 127.0.0.1:3000\n"),
    ],
)
def test_who_else_gets_the_faces(profile, says, *, run, plugin, photos, configured):
    """A host that is not the vendor's own is named on stderr, before anything is sent."""
    plugin(HOSTED, {"facematch.backends": {"hosted": "Hosted", "own": "Own"}})
    configured(f'default_profile = "p"\n[profiles.p]\n{profile}\n')
    assert run("verify", *photos).stderr == says
    assert says.removeprefix("note: ") in run("doctor").stdout


def test_what_else_is_told(run, photos, scripted):
    """Vendor's ids, failover, an unknown charge and an unreal answer are all said."""
    skipped = (Skipped(backend="first", reason="RateLimited", message="m"),)
    scripted._environment = None  # one that is declared would refuse the answer of a mock
    scripted.script = [
        match_result(
            ids=Ids(vendor="req_1", session="ses_1"),
            route=Route(answered_by="second", skipped=skipped),
            billing=Billing(Charged.UNKNOWN),
            environment=Environment.MOCK,
        )
    ]
    told = run("verify", *photos).stdout
    assert "request req_1, kept by the vendor as session ses_1" in told
    assert "answered by second, not by first (RateLimited)" in told
    assert "from a mock: not real, perhaps charged" in told


def test_vendor_threshold(run, photos, scripted):
    """A threshold that only the vendor knows is not made up."""
    unknown = Threshold(None, ThresholdRule.VENDOR, ThresholdSource.VENDOR)
    scripted.capabilities = attrs.evolve(scripted.capabilities, default_threshold=None)
    scripted.script = [match_result(threshold=unknown)]
    assert "MATCH  no score (the vendor's own threshold)" in run("verify", *photos).stdout


def test_scores_do_not_round_up(run, photos, scripted):
    """49.999999 is not shown as 50."""
    scripted.score = 49.999999
    assert "score 49.999999 " in run("verify", *photos).stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "Give two pictures"),
        (["selfie.jpg"], "Give two pictures"),
        (["selfie.jpg", "id.jpg", "--out", "x"], "--out goes with --pairs"),
        (["selfie.jpg", "id.jpg", "--workers", "2"], "--workers goes with --pairs"),
        (["selfie.jpg", "id.jpg", "--liveness-threshold", "5"], "goes with --live"),
        (
            ["selfie.jpg", "id.jpg", "--threshold", "much"],
            "--threshold must be a number from 0 to 100, not 'much'",
        ),
        (["selfie.jpg", "id.jpg", "--threshold", "nan"], "not 'nan'"),
        (["selfie.jpg", "id.jpg", "--review-threshold", "101"], "from 0 to 100, not '101'"),
        (["selfie.jpg", "id.jpg", "--live", "--liveness-threshold", "-1"], "not '-1'"),
        (["selfie.jpg", "id.jpg", "--workers", "x"], "a whole number from 1 to 256, not 'x'"),
        (["selfie.jpg", "id.jpg", "--force"], "name one with --picture"),
        (["selfie.jpg", "id.jpg", "--metadata", "x"], "is not name=value"),
        (["selfie.jpg", "id.jpg", "--metadata", "=x"], "is not name=value"),
        (["selfie.jpg", "id.jpg", "-o", "a=1", "-o", "a=2"], "is given twice"),
        (["selfie.jpg", "id.jpg", "--backend", "a", "--profile", "b"], "not both"),
        (["selfie.jpg", "id.jpg", "--backend", "a", "--config", "b"], "--config holds profiles"),
        (["selfie.jpg", "id.jpg", "--threshhold", "5"], "--threshold"),
        (["selfie.jpg", "missing.jpg"], "missing.jpg"),
        (["selfie.jpg", "id.jpg", "--picture", "x.jpg"], "name it x.png"),
        (["selfie.jpg", "id.jpg", "--picture", "id.jpg/x.png"], "cannot be written: Not a dir"),
        (["selfie.jpg", "id.jpg", "--picture", "/proc/x.png"], "/proc/x.png cannot be written"),
        (["--pairs", "p.csv"], "--pairs needs --out"),
        (["--pairs", "p.csv", "--out", "o", "--live"], "--live cannot go with --pairs"),
        (["a.jpg", "--pairs", "p.csv", "--out", "o"], "cannot go with --pairs"),
    ],
)
def test_wrong_usage(words, says, run, photos, scripted):
    """Wrong words end with 2 and a sentence, and nothing is sent; with --json too."""
    answer = run("verify", *words)
    assert answer.exit_code == 2
    assert says in answer.stderr
    document = json.loads(run("verify", *words, "--json").stdout)
    assert says in document["error"]["message"]
    assert not scripted.calls


def test_picture_does_not_overwrite_its_source(run, tmp_path, photos, scripted):
    """A drawing may not replace the photograph that it is drawn from."""
    (tmp_path / "selfie.png").write_bytes((tmp_path / "selfie.jpg").read_bytes())
    answer = run("verify", "selfie.png", "id.jpg", "--picture", "selfie.png", "--force")
    assert answer.exit_code == 2
    assert "would overwrite one of the two photographs" in answer.stderr
    assert not scripted.calls


def test_picture(run, tmp_path, photos, scripted):
    """--picture writes one PNG and leaves nothing else behind."""
    before = set(tmp_path.iterdir())
    assert run("verify", *photos, "--picture", "out.png").exit_code == 0
    words = ("--picture", "out.png", "--force")
    assert run("liveness", photos[0], *words).exit_code == 0
    assert run("verify", *photos, "--live", *words).exit_code == 0
    assert set(tmp_path.iterdir()) - before == {tmp_path / "out.png"}
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_existing_picture_is_kept(run, tmp_path, photos, scripted):
    """--picture overwrites nothing without --force, and nothing is sent then."""
    (tmp_path / "out.png").write_text("precious")
    for words in (("verify", *photos), ("liveness", photos[0])):
        answer = run(*words, "--picture", "out.png")
        assert answer.exit_code == 2
        assert "out.png exists" in answer.stderr
    assert (tmp_path / "out.png").read_text() == "precious"
    assert not scripted.calls
    assert run("liveness", photos[0], "--force").exit_code == 2


def test_folder_of_the_picture_is_made(run, tmp_path, photos, scripted):
    """Missing folders of --picture are created, once there is something to draw."""
    assert run("verify", "x.jpg", "y.jpg", "--picture", "new/deep/out.png").exit_code == 2
    assert not (tmp_path / "new").exists()
    assert run("verify", *photos, "--picture", "new/deep/out.png").exit_code == 0
    assert (tmp_path / "new" / "deep" / "out.png").exists()


def test_failed_writing_names_what_was_asked_for(tmp_path, monkeypatch):
    """A file that is written beside its place does not show up in a message."""

    def full(*_args, **_options):
        raise OSError(28, "No space left on device", ".facematch.x7")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space") as caught:
        common.write(tmp_path / "out.png", b"")
    assert caught.value.filename == str(tmp_path / "out.png")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["https://u:p@host/a.jpg", "id.jpg"],
            "The probe is a URL, which facematch does not fetch: download",
        ),
        (
            ["selfie.jpg", "s3:/bucket/a.jpg"],
            "The reference is a URL, which facematch does not fetch",
        ),
        (["selfie.jpg", "file:///x.jpg"], "The reference is a URL: give the name of the file"),
        (["", "id.jpg"], "The name of the probe is empty."),
        (["selfie.jpg", "data:image/png;base64,AA=="], "The reference is not a file name"),
        (["/9j/4AAQSkZJRg", "id.jpg"], "The probe is not a file name"),
    ],
)
def test_no_file_name(words, says, run, run_json, scripted):
    """What is no file name is told for a shell, with which of the two; its text is not repeated."""
    answer = run("verify", *words)
    assert answer.exit_code == 2
    assert answer.stderr.startswith(f"error: {says}")
    assert "Image." not in answer.stderr
    assert "host" not in answer.output
    code, document = run_json("verify", *words)
    assert (code, document["error"]["class"]) == (2, "InvalidImage")
    assert "The picture is a URL" in run("liveness", "http://host").stderr


def test_odd_file_name(run, tmp_path, photos, scripted):
    """A file that is there may be called as it likes."""
    (tmp_path / "data:x").write_bytes((tmp_path / "id.jpg").read_bytes())
    assert run("verify", "selfie.jpg", "data:x").exit_code == 0


def test_file_with_base64(run, tmp_path, photos, scripted):
    """A file that holds base64 is told without advice for Python."""
    (tmp_path / "text.jpg").write_text("/9j/4AAQSkZJRgABAQ")
    told = run("verify", "selfie.jpg", "text.jpg").stderr
    assert told.endswith("'text.jpg' looks like base64 text; decode it first.\n")


@pytest.mark.parametrize("name", ["--threshold", "--review-threshold", "--liveness-threshold"])
def test_share_of_one(name, run, photos, scripted):
    """A threshold of 0.6 is taken, with a question on stderr; 0 and 1.5 are not asked about."""
    words = ("verify", *photos, "--live", "--threshold", 0, name)
    told = f"warning: {name} 0.6 is on a scale of 0-100; did you mean 60?\n"
    answer = run(*words, "0.6")
    assert (answer.exit_code, answer.stderr) == (0, told)
    assert run(*words, "1").stderr == told.replace("60?", "100?").replace("0.6", "1")
    assert run(*words, "1.5").stderr == ""


@pytest.mark.parametrize(
    "key", ["threshold", "review_threshold", "liveness_threshold", "liveness_review_threshold"]
)
def test_share_of_one_in_a_profile(key, run, configured, photos, scripted):
    """The same for each threshold of a profile, with its place."""
    scripted.capabilities = attrs.evolve(
        scripted.capabilities, default_threshold=0.25, default_liveness_threshold=0.25
    )
    text = f'default_profile = "p"\n[profiles.p]\nbackend = "fake"\n{key} = 0.6\n'
    configured(text)
    told = run("verify", *photos).stderr
    assert told == (
        f"warning: facematch.toml [profiles.p]: {key} 0.6 is on a scale of 0-100; "
        "did you mean 60?\n"
    )


def test_turning_is_advised(run, photos, scripted):
    """Where no face was found, a backend that can turn pictures is said to."""
    warnings = (
        ResultWarning(code=WarningCode.NO_FACE, text="No face.", advice=Advice.RETAKE_PHOTO),
    )
    none = match_result(Decision.INCONCLUSIVE, warnings=warnings)
    advice = "No face. Advice: take the photograph again"
    scripted.script = [none, none]
    assert f"{advice}, or try --rotate.\n" in run("verify", *photos).stdout
    assert f"{advice}.\n" in run("verify", *photos, "--rotate").stdout
    scripted.capabilities = attrs.evolve(scripted.capabilities, rotate=False)
    scripted.script = [none]
    assert f"{advice}.\n" in run("verify", *photos).stdout


def test_keep_is_refused_with_advice(run, photos):
    """A backend that keeps nothing says what to leave out."""
    answer = run("verify", *photos, "--keep")
    assert answer.exit_code == 2
    assert "leave --keep out" in answer.stderr


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("--profile=door", "no profile 'door' (looked for /"),
        ("--config=nowhere.toml", "nowhere.toml"),
    ],
)
def test_profile_without_a_file(option, says, run, photos, scripted):
    """Its name, and the places that were looked at; a file that was named must be there."""
    answer = run("verify", *photos, option)
    assert answer.exit_code == 4
    assert says in answer.stderr


def test_picture_fails_after_the_result(run, tmp_path, photos, scripted, monkeypatch):
    """A result that was paid for is shown even if it cannot be drawn."""

    def full(*_args, **_more):
        raise OSError(28, "No space left on device", "out.png")

    monkeypatch.setattr(common, "write", full)
    answer = run("verify", *photos, "--picture", "out.png")
    assert answer.exit_code == 4
    assert answer.stdout.startswith("MATCH")
    assert answer.stderr == "error: No space left on device: out.png.\n"


def test_backend_is_closed(run, photos, scripted):
    """The backend is closed after the call, whatever came of it."""
    run("verify", *photos)
    run("verify", *photos, "--review-threshold", "20")
    assert scripted.closed == 2


def test_config_and_profile(run, configured, photos, scripted):
    """The default profile of the file is used, another one by name."""
    configured(
        'default_profile = "a"\n[profiles.a]\nbackend = "fake"\nthreshold = 81\n'
        '[profiles.b]\nbackend = "fake"\n'
    )
    assert "threshold at least 81, from the profile" in run("verify", *photos).stdout
    assert run("verify", *photos).exit_code == 1
    assert run("verify", *photos, "--profile", "b").exit_code == 0
    assert run("verify", *photos, "--backend", "fake").exit_code == 0


def test_a_file_that_is_just_here(run, tmp_path, photos, scripted):
    """Is not read: a stranger may have left it. Whoever wonders is told what would read it."""
    told = (
        " The facematch.toml of this folder is not read because it is not named: "
        "`facematch ... --config facematch.toml`.\n"
    )
    (tmp_path / "facematch.toml").write_text(
        'default_profile = "a"\n[profiles.a]\nbackend = "fake"\nthreshold = 81\n'
    )
    answer = run("verify", *photos)
    assert (answer.exit_code, answer.stderr) == (0, f"note:{told}")
    assert run("verify", *photos, "--backend", "fake").stderr == ""
    answer = run("verify", *photos, "--profile", "a")
    assert (answer.exit_code, answer.stderr.endswith(told)) == (4, True)
    answer = run("verify", *photos, "--config", "facematch.toml")
    assert (answer.exit_code, answer.stderr) == (1, "")


def test_config_without_default(run, configured, photos, scripted):
    """A file without a default is passed by, unless it was named: then it is an error."""
    configured('[profiles.b]\nbackend = "fake"\nthreshold = 99\n')
    assert run("verify", *photos).exit_code == 0
    answer = run("verify", *photos, "--config", "facematch.toml")
    assert answer.exit_code == 4
    assert "has no default_profile" in answer.stderr


class Level(enum.Enum):
    """A closed choice."""

    LOW = "low"
    HIGH = "high"


@attrs.frozen
class Options:
    """One option of each kind."""

    strict: bool = False
    depth: int = attrs.field(default=1, validator=attrs.validators.le(9))
    share: float | None = None
    level: Level = Level.LOW
    note: str = ""
    raw: dict = attrs.field(factory=dict)


def test_vendor_options(scripted):
    """Text becomes what the backend's class declares."""
    object.__setattr__(
        scripted, "capabilities", attrs.evolve(scripted.capabilities, options=Options)
    )
    given = {"strict": "true", "depth": "3", "share": "0.5", "level": "high", "note": "x"}
    expected = Options(strict=True, depth=3, share=0.5, level=Level.HIGH, note="x")
    assert vendor_options(scripted, given) == expected
    assert vendor_options(scripted, {}) is None


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("strict", "yes", "-o strict must be true or false"),
        ("depth", "3.5", "a whole number"),
        ("depth", "12", "must be <= 9"),
        ("share", "much", "a number"),
        ("level", "middle", 'one of "low", "high"'),
        ("raw", "{}", "-o raw must be"),
    ],
)
def test_wrong_vendor_option(name, value, says, scripted):
    """A value of another type is refused in a sentence."""
    scripted.capabilities = attrs.evolve(scripted.capabilities, options=Options)
    with pytest.raises(InvalidRequest, match=says):
        vendor_options(scripted, {name: value})


def test_unknown_vendor_option(run, photos, scripted):
    """An unknown one is answered with the nearest name."""
    with pytest.raises(Unsupported, match="did you mean level"):
        vendor_options(scripted, {"levl": "1"})
    assert run("verify", *photos, "-o", "levl=1").exit_code == 2


def test_backend_without_options(run, photos, scripted):
    """A backend without options refuses in the core's own words."""
    scripted.capabilities = attrs.evolve(scripted.capabilities, options=None)
    answer = run("verify", *photos, "-o", "level=1")
    assert answer.exit_code == 2
    assert "has no options of its own" in answer.stderr
