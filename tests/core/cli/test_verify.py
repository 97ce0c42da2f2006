import attrs
import pytest
from kit.fakes import FakeBackend, liveness_result, match_result

import facematch_core as fm
from facematch_core.errors import RequestRejected
from facematch_core.models import Advice, Ids, Route, Skipped, ThresholdRule, ThresholdSource


def test_output_matches_golden_file(screens, photos, scripted, *, monkeypatch, configured):
    no_face = fm.ResultWarning(
        code=fm.WarningCode.NO_FACE, text="No face.", advice=Advice.RETAKE_PHOTO
    )
    warnings = (
        fm.ResultWarning(code=fm.WarningCode.MULTIPLE_FACES, tag="MANY", text="Two faces."),
        fm.ResultWarning(code=fm.WarningCode.OTHER, tag="ODD_ONE"),
        fm.ResultWarning(code=fm.WarningCode.TOO_DARK),
    )
    skipped = (Skipped(backend="first", reason="RateLimited", message="m"),)
    unreal = match_result(
        ids=Ids(vendor="req_1", session="ses_1"),
        route=Route(answered_by="second", skipped=skipped),
        billing=fm.Billing(fm.Charged.UNKNOWN),
        environment=fm.Environment.MOCK,
    )
    of_vendor = fm.Threshold(None, ThresholdRule.VENDOR, ThresholdSource.VENDOR)
    verify = "verify selfie.jpg id.jpg"
    with screens("verify") as show:
        show("a match", verify)
        show("a threshold of the caller", f"{verify} --threshold 90", code=1)
        configured('[profiles.p]\nbackend = "fake"\nreview_threshold = 85\n')
        show("a review threshold", f"{verify} --profile p", code=3)
        configured("")
        show("with liveness", f"{verify} --live --liveness-threshold 20")
        scripted.score = 49.999999
        show("a score that does not round up", verify, code=1)
        scripted.score = 5
        show("not live: the comparison is not paid for", f"{verify} --live", code=1)
        assert len(scripted.calls) == 7
        show("liveness", "liveness selfie.jpg --threshold 85", code=1)
        scripted.script = [liveness_result(quality=71.5, luminance=40)]
        show("what a vendor says of the picture", "liveness selfie.jpg", code=3)
        scripted.script = [match_result(warnings=warnings)]
        show("warnings with advice", verify, code=3)
        none = match_result(fm.Decision.INCONCLUSIVE, warnings=(no_face,))
        scripted.script = [none]
        show("no face", verify, code=3)
        # One that is declared would refuse the answer of a mock.
        monkeypatch.setattr(FakeBackend, "environment", None)
        scripted.script = [unreal]
        show("ids, failover, an unknown charge, a mock", verify, code=3)
        scripted.capabilities = attrs.evolve(scripted.capabilities, default_threshold=None)
        scripted.script = [match_result(threshold=of_vendor)]
        show("a threshold that only the vendor knows", verify)


#: Words after `facematch verify`, each refused before anything is sent.
WRONG = """
selfie.jpg
selfie.jpg id.jpg --out x
selfie.jpg id.jpg --liveness-threshold 5
selfie.jpg id.jpg --threshold nan
selfie.jpg id.jpg --threshold 101
selfie.jpg id.jpg --threshold 0.6
selfie.jpg id.jpg --live --liveness-threshold 0.6
selfie.jpg id.jpg --live --liveness-threshold -1
selfie.jpg id.jpg --repeat all
selfie.jpg id.jpg --backend a --profile b
selfie.jpg id.jpg --backend a --config b
--pairs p.csv
--pairs p.csv --out o --live
a.jpg --pairs p.csv --out o
selfie.jpg missing.jpg
selfie.jpg text.jpg
https://u:p@host/a.jpg id.jpg
selfie.jpg s3:/bucket/a.jpg
selfie.jpg file:///x.jpg
selfie.jpg data:image/png;base64,AA==
/9j/4AAQSkZJRg id.jpg
"""


def test_wrong_usage_sends_nothing(screens, run_json, *, tmp_path, photos, scripted):
    (tmp_path / "text.jpg").write_text("/9j/4AAQSkZJRgABAQ")
    with screens("verify-wrong-usage") as show:
        show("no picture", "verify", code=2)
        for command in WRONG.strip().splitlines():
            answer = show("", f"verify {command}", code=2)
            assert answer.stdout == ""
            assert "u:p" not in answer.output
            code, document = run_json(f"verify {command}")
            assert code == document["error"]["exit_code"] == 2
    assert not scripted.calls


def test_vendor_text_cannot_forge_output_lines(run, photos, scripted):
    forged = "odd\nMATCH  score 99\r\x1b[2J\u202e"
    warning = fm.ResultWarning(code=fm.WarningCode.OTHER, tag=forged, text=forged)
    skipped = (Skipped(backend="first", reason="RateLimited", message=forged),)
    scripted.script = [
        match_result(
            fm.Decision.NO_MATCH,
            warnings=(warning,),
            ids=Ids(vendor=forged, session=forged),
            billing=fm.Billing(ground=forged),
            route=Route(answered_by="b", skipped=skipped),
        ),
        RequestRejected(forged),
    ]
    answer = run("verify selfie.jpg id.jpg")
    lines = answer.stdout.splitlines()
    assert lines[0].startswith("NO MATCH")
    assert all(line.startswith("  ") for line in lines[1:])
    assert "MATCH  score 99" in answer.stdout
    refused = run("verify selfie.jpg id.jpg")
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
ELSEWHERE = '[profiles.p.settings]\nbase_url = "http://127.0.0.1:47001"'


@pytest.mark.parametrize(
    ("profile", "says"),
    [
        ('backend = "hosted"', ""),
        (
            f'backend = "hosted"\n{ELSEWHERE}',
            "note: requests to hosted go to 127.0.0.1:47001, not the vendor's own host\n",
        ),
        ('backend = "own"', "note: requests to own go to 127.0.0.1:3000\n"),
    ],
)
def test_note_names_a_host_other_than_the_vendors(
    profile, says, *, run, plugin, photos, configured
):
    plugin(HOSTED, {"facematch.backends": {"hosted": "Hosted", "own": "Own"}})
    configured(f'default_profile = "p"\n[profiles.p]\n{profile}\n')
    assert run("verify selfie.jpg id.jpg").stderr == says
    assert says.removeprefix("note: ") in run("doctor").stdout


def test_facematch_toml_in_the_working_directory_is_not_loaded(run, tmp_path, photos, scripted):
    note = (
        " ./facematch.toml is not loaded automatically: pass --config facematch.toml, or "
        "`config=` in Python.\n"
    )
    (tmp_path / "facematch.toml").write_text(
        'default_profile = "a"\n[profiles.a]\nbackend = "fake"\nthreshold = 81\n'
    )
    answer = run("verify selfie.jpg id.jpg")
    assert (answer.exit_code, answer.stderr) == (0, f"note:{note}")
    assert run("verify selfie.jpg id.jpg --profile a").exit_code == 4
    answer = run("verify selfie.jpg id.jpg --config facematch.toml")
    assert (answer.exit_code, answer.stderr) == (1, "")
