"""The backend `simulated` gives every pair its answer, by who is in the pictures."""

import math
from pathlib import Path

import pytest
from plugins import Site

import facematch_core as fm
from facematch_core.testing import ManualClock, noise
from facematch_mock_server import make_card
from facematch_mock_server.simulation import SimulatedBackend
from facematch_mock_server.simulation.backend import GROUP

SMALL = (64, 64)
PICTURES = [noise(seed, SMALL) for seed in range(60)]
#: Twelve people with five pictures each.
PEOPLE = {picture.digest: f"p{at % 12}" for at, picture in enumerate(PICTURES)}


@pytest.fixture
def asked():
    """Opens a backend and asks it about every two of the pictures."""

    def _asked(**settings):
        verifier = fm.FaceVerifier(SimulatedBackend(people=PEOPLE, **settings))
        pairs = [(a, b) for at, a in enumerate(PICTURES) for b in PICTURES[at + 1 :]]
        mated = [PEOPLE[a.digest] == PEOPLE[b.digest] for a, b in pairs]
        return mated, [verifier.verify(a, b) for a, b in pairs]

    return _asked


def test_rates_are_those_of_the_vendor(asked):
    """Over 120 mated and 1,650 non-mated pairs, within four standard errors."""
    mated, results = asked(fmr=0.05, fnmr=0.2)
    for kind, rate in ((True, 0.2), (False, 0.05)):
        wrong = [r.is_match is not kind for m, r in zip(mated, results, strict=True) if m is kind]
        error = math.sqrt(rate * (1 - rate) / len(wrong))
        assert abs(sum(wrong) / len(wrong) - rate) < 4 * error


def test_answers_do_not_depend_on_order_or_turn():
    """The same settings answer the same, either way round; others do not."""
    first, second = SimulatedBackend(people=PEOPLE), SimulatedBackend(people=PEOPLE)
    a, b = PICTURES[0], PICTURES[1]
    score = fm.FaceVerifier(first).verify(a, b).score
    fm.FaceVerifier(second).verify(PICTURES[5], PICTURES[6])
    assert fm.FaceVerifier(second).verify(b, a).score == score
    for other in ({"seed": 1}, {"model": "v2"}, {"common": 0.5}):
        assert fm.FaceVerifier(SimulatedBackend(people=PEOPLE, **other)).verify(a, b).score != score


def test_what_is_common_does_not_depend_on_the_seed():
    """With everything in common two vendors give the same scores, but on scales of their own."""
    a, b = PICTURES[0], PICTURES[12]
    one, two = (
        fm.FaceVerifier(SimulatedBackend(people=PEOPLE, common=1.0, seed=seed, model=f"v{seed}"))
        for seed in (1, 2)
    )
    first, second = one.verify(a, b).score, two.verify(a, b).score
    assert first.value == second.value
    assert (first.scale, second.scale) == ("simulated/v1", "simulated/v2")


def test_unknown_pictures_show_somebody_of_their_own():
    """The same picture shows the same person; another one does not."""
    verifier = fm.FaceVerifier(SimulatedBackend(fmr=1e-9, fnmr=1e-9))
    unknown = noise(1000, SMALL), noise(1001, SMALL)
    assert verifier.verify(unknown[0], unknown[0]).is_match
    assert not verifier.verify(*unknown).is_match


def test_failures_to_acquire_belong_to_pictures(asked):
    """Warned of, without score and verdict, in every pair of the picture."""
    _, results = asked(fta=0.1)
    failed = [r for r in results if r.decision is fm.Decision.INCONCLUSIVE]
    assert 0.05 < len(failed) / len(results) < 0.4
    for result in failed:
        assert result.score is None
        assert {w.code for w in result.warnings} == {fm.WarningCode.NO_FACE}
        assert () in (result.probe_faces, result.reference_faces)


def test_outages_stay():
    """Some pairs are never answered, and it is certain that they were not paid for."""
    verifier = fm.FaceVerifier(SimulatedBackend(people=PEOPLE, outage=0.3))
    down, errors = [], []
    for at in range(50):
        try:
            verifier.verify(PICTURES[at], PICTURES[at + 1])
        except fm.VendorUnavailable as error:
            errors.append(error)
            down.append(at)
    assert 5 < len(down) < 28
    assert {error.billing.charged for error in errors} == {fm.Charged.NO}
    with pytest.raises(fm.VendorUnavailable):
        verifier.verify(PICTURES[down[0]], PICTURES[down[0] + 1])


def test_thresholds_and_rules():
    """A caller's threshold goes before its own; strictness is its rule's."""
    a, b = PICTURES[0], PICTURES[12]
    for rule, edge in ((fm.ThresholdRule.AT_LEAST, True), (fm.ThresholdRule.ABOVE, False)):
        verifier = fm.FaceVerifier(SimulatedBackend(people=PEOPLE, rule=rule, default_threshold=60))
        result = verifier.verify(a, b)
        assert (result.threshold.value, result.threshold.rule) == (60, rule)
        assert result.is_match is (result.score.value > 60)
        assert verifier.verify(a, b, threshold=result.score.value).is_match is edge


def test_decisions_only():
    """No score, no threshold of the caller's, and a verdict all the same."""
    verifier = fm.FaceVerifier(SimulatedBackend(people=PEOPLE, decisions_only=True, fnmr=1e-6))
    result = verifier.verify(PICTURES[0], PICTURES[12])
    assert (result.is_match, result.score) == (True, None)
    assert result.environment is fm.Environment.MOCK
    with pytest.raises(fm.Unsupported):
        verifier.verify(PICTURES[0], PICTURES[12], threshold=50)


def test_it_takes_its_time():
    """About its latency; a deadline ends the wait."""
    backend = SimulatedBackend(people=PEOPLE, latency_s=2.0)
    backend._clock = clock = ManualClock()
    began = clock.monotonic()
    fm.FaceVerifier(backend).verify(PICTURES[0], PICTURES[1])
    took = clock.monotonic() - began
    assert 0.2 < took < 20
    with pytest.raises(fm.VendorUnavailable, match="deadline"):
        fm.FaceVerifier(backend).verify(PICTURES[0], PICTURES[1], deadline_s=took / 2)
    assert clock.monotonic() - began == pytest.approx(1.5 * took, rel=0.01)


def test_people_from_a_study(tmp_path):
    """A folder for each person, or a file of pairs; also as a picture is sent."""
    for at, picture in enumerate(PICTURES[:24]):
        (folder := tmp_path / "faces" / f"p{at % 12}").mkdir(parents=True, exist_ok=True)
        (folder / f"{at}.jpg").write_bytes(picture.data)
    (tmp_path / "faces" / "p0" / "broken.jpg").write_bytes(b"no picture")
    lines = ["probe,reference,same,probe_subject,reference_subject"]
    lines += [f"faces/p{n}/{n}.jpg,faces/p{n}/{n + 12}.jpg,1,p{n},p{n}" for n in range(12)]
    (tmp_path / "pairs.csv").write_text("\n".join(lines))
    want = fm.FaceVerifier(SimulatedBackend(people=PEOPLE)).verify(PICTURES[0], PICTURES[12]).score
    for truth in ("faces", "pairs.csv"):
        verifier = fm.FaceVerifier(SimulatedBackend(truth=tmp_path / truth))
        assert verifier.verify(PICTURES[0], PICTURES[12]).score == want


def test_a_picture_is_known_as_it_is_sent(tmp_path):
    """Private texts are removed on the way; it is the same picture."""
    from PIL import Image as Pillow
    from PIL.PngImagePlugin import PngInfo

    told = PngInfo()
    told.add_text("Author", "somebody")
    pictures = []
    for name in "ab":
        (folder := tmp_path / name).mkdir()
        Pillow.new("RGB", SMALL, {"a": "red", "b": "blue"}[name]).save(
            folder / "x.png", pnginfo=told
        )
        pictures.append(fm.Image.read(folder / "x.png"))
    sent = fm.Image.from_bytes(pictures[0].prepared().data)
    assert sent.digest != pictures[0].digest
    verifier = fm.FaceVerifier(SimulatedBackend(truth=tmp_path, fnmr=1e-9))
    assert verifier.verify(sent, pictures[0]).is_match
    assert verifier.verify(sent, pictures[1]).score == verifier.verify(*pictures).score


def test_test_cards_are_read_by_whoever_can(tmp_path, monkeypatch):
    """A card says who it is, however it was encoded, and how many faces it shows."""
    Site(tmp_path, monkeypatch).add(
        "made-cards",
        [(GROUP, "made", "read_card")],
        source="from facematch_mock_server.recognition.cards import read_card",
    )
    verifier = fm.FaceVerifier(SimulatedBackend(fmr=1e-9, fnmr=1e-9))
    ada = make_card("ada"), make_card("ada", kind="JPEG", size=(240, 320))
    assert verifier.verify(*ada).is_match
    assert not verifier.verify(ada[0], make_card("bob")).is_match
    two = verifier.verify(make_card("ada", faces=2), ada[1])
    assert two.is_match
    assert [w.code for w in two.warnings] == [fm.WarningCode.MULTIPLE_FACES]
    assert verifier.verify(make_card("ada", faces=0), ada[0]).decision is fm.Decision.INCONCLUSIVE


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"fmr": 2.0}, "fmr of a simulated vendor"),
        ({"rule": fm.ThresholdRule.VENDOR}, "rule must be above or at_least"),
        ({"model": ""}, "model must be text"),
        ({"truth": Path("nowhere")}, "There is no file or folder nowhere"),
        ({"people": 5}, "people must be a table"),
        ({"seed": 1.5}, "seed must be a whole number"),
    ],
)
def test_settings_that_cannot_be(wrong, told):
    """One sentence names the setting."""
    with pytest.raises(fm.ConfigurationError) as caught:
        SimulatedBackend(**wrong)
    assert told in str(caught.value)
    assert not isinstance(caught.value, fm.InvalidRequest)
