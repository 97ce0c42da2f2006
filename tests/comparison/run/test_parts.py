"""Parts of a test set, each with a run database of its own: none is paid twice, none is lost."""

import collections
import contextlib
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import attrs
import numpy as np
import pytest
from kit.comparison import part_worker
from kit.comparison.studies import charged_answer, fail_with, opener, write_study
from kit.fakes import FakeBackend, picture

from facematch_comparison import (
    Price,
    RunDatabase,
    StudyRun,
    draw_pairs,
    evaluate,
    photographs,
    read_answers,
    run_study,
    to_frame,
)
from facematch_comparison.run.parts import read_run
from facematch_comparison.run.study_run import digest_of_run, digests_of
from facematch_comparison.study.reading import write_pairs_csv
from facematch_core import InvalidRequest, OutcomeUnknown, Score
from facematch_mock_server import MockServer, make_card

pytestmark = pytest.mark.usefixtures("in_file_order")

GROUPS = {"sex": {"Anna 0": "f", "Anna 1": "m", "Bertha 5": "f"}}


@pytest.fixture
def study(tmp_path):
    """Ten pairs."""
    return write_study(tmp_path / "pictures", pairs=10, groups=GROUPS)


@pytest.fixture
def run_part(study, tmp_path):
    """Run a part in a database of its own, which is returned."""
    with contextlib.ExitStack() as stack:

        def run(number, of, *, system=None, file=None, of_study=study, stop=None, **more):
            file = file or f"{number}.sqlite3"
            database = RunDatabase(f"sqlite:///{tmp_path}/{file}")
            stack.callback(database.close)
            systems = {"fake": system or opener()}
            with StudyRun(of_study.part(number, of), systems, database, **more) as part_run:
                part_run.run(workers=1, stop=stop)
            return database

        yield run


def scores_from(first):
    """A backend that answers with the scores `first`, `first` + 1, and so on."""
    script = [charged_answer(score=Score(first + step, "fake/v1")) for step in range(10)]
    return opener(FakeBackend(script=script))


def test_a_part_has_every_nth_pair_with_the_numbers_of_the_whole(study):
    part = study.part(3, 4)
    assert part.pairs == study.pairs[2::4]
    assert list(part.pair_numbers) == [2, 6]
    assert part.subjects == study.subjects
    whole_numbers = np.stack(study.subject_numbers)
    assert np.array_equal(np.stack(part.subject_numbers), whole_numbers[:, 2::4])
    assert part.groupings()["sex"].labels == ("f", "m")
    numbers = [number for k in (1, 2, 3, 4) for number in study.part(k, 4).pair_numbers]
    assert sorted(numbers) == list(study.pair_numbers)


@pytest.mark.parametrize("part", [(0, 4), (5, 4), (-1, 4), (1, 0), (1, 11)])
def test_a_part_is_one_to_n_and_has_pairs(study, part):
    with pytest.raises(InvalidRequest):
        study.part(*part)


def test_the_only_part_is_the_whole(study):
    assert study.part(1, 1) is study


def test_the_digest_of_a_part_is_of_the_list_the_part_and_its_own_pictures(study):
    part = study.part(1, 2)
    digest = part.digest(digests_of(part))
    assert set(digests_of(part)) == set(part.pictures)
    assert digest != study.part(1, 5).digest(digests_of(study))
    # The folder does not matter, but a label of another part does.
    study.pairs[1].probe.write_bytes(picture((9, 9, 9)).data)
    assert part.digest(digests_of(part)) == digest
    first, second, *rest = study.pairs
    other = attrs.evolve(study, pairs=(first, attrs.evolve(second, probe=first.probe), *rest))
    assert other.part(1, 2).digest(digests_of(part)) != digest
    first.probe.write_bytes(picture((8, 8, 8)).data)
    assert part.digest(digests_of(part)) != digest


def test_a_whole_test_set_has_the_digest_of_earlier_run_databases(study):
    digests = {picture: picture.name * 3 for picture in study.pictures}
    assert (
        study.digest(digests) == "85e39a237cea868e3a2322b4271b40d431e018de890ef5705dde962f1516aece"
    )


def test_a_list_has_the_same_digest_in_every_folder(study, tmp_path):
    moved = write_study(tmp_path / "elsewhere", pairs=10, groups=GROUPS)
    assert moved.list_digest == study.list_digest
    assert attrs.evolve(moved, groups={}).list_digest != study.list_digest
    assert attrs.evolve(moved, pairs=moved.pairs[::-1]).list_digest != study.list_digest


def test_a_part_hashes_and_sends_its_own_pictures_only(study, run_part):
    for pair in study.pairs[1::2]:
        pair.probe.unlink()
    system = opener()
    run_part(1, 2, system=system)
    assert len(system.backend.calls) == 5


def test_caller_references_have_the_numbers_of_the_whole(run_part):
    system = opener(FakeBackend(sends_caller_ref=True))
    database = run_part(2, 5, system=system, keep=["fake"])
    digest = database.study().digest[:16]
    references = [call.caller_ref for call in system.backend.calls]
    assert references == [f"facematch-{digest}-1", f"facematch-{digest}-6"]


def test_parts_are_joined_in_the_order_of_the_whole(study, run_part, database):
    databases = [run_part(k, 3, system=scores_from(10 * k)) for k in (3, 1, 2)]
    (answers,) = read_answers(*databases)
    assert answers.scores.tolist() == [10, 20, 30, 11, 21, 31, 12, 22, 32, 13]
    run_study(study, {"fake": opener()}, database)
    (whole,) = read_answers(database)
    assert whole.parts is None
    for column in ("pair", "mated", "person_1", "person_2", "probe_group_sex"):
        assert answers.frame[column].tolist() == whole.frame[column].tolist()
    assert evaluate([answers], required_fmr=0.3).headline.startswith("At ")


def test_a_headline_names_missing_and_unfinished_parts_and_unresolved_pairs(study, run_part):
    lost = opener(FakeBackend(script=[fail_with(OutcomeUnknown("Lost."))]))
    database = run_part(2, 5, system=lost)
    answers = read_answers(database, run_part(4, 5, stop=lambda: True))
    assert answers[0].parts.present == [2, 4]
    assert answers[0].parts.unfinished == [4]
    assert answers[0].parts.unresolved == 1
    assert answers[0].frame["pair"].tolist() == [1, 3, 6, 8]
    evaluation = evaluate(answers)
    for words in ("(of 5): 1,3,5.", "(of 5): 4.", "1 of fake"):
        assert words in evaluation.headline
    assert evaluation.caveats[0].code == "parts"


def test_a_frame_names_the_pictures_of_the_parts_that_are_there(study, run_part):
    frame = to_frame(read_answers(run_part(2, 5)), study)
    expected = [str(study.pairs[number].probe) for number in (1, 6)]
    assert frame["probe"].tolist() == expected


def test_the_digest_of_joined_parts_is_of_the_test_set_that_was_run(study, run_part):
    run = read_run([run_part(k, 4) for k in (1, 2, 4)])
    parts = run.parts["fake"]
    assert digest_of_run(study, parts) == run.study.digest
    study.pairs[3].probe.write_bytes(picture((9, 9, 9)).data)
    assert digest_of_run(study, parts) != run.study.digest


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(lambda run, study: run(2, 3), id="another number of parts"),
        pytest.param(lambda run, study: run(1, 2, file="again.sqlite3"), id="a part twice"),
        pytest.param(
            lambda run, study: run(2, 2, of_study=attrs.evolve(study, groups={})), id="another list"
        ),
        pytest.param(lambda run, study: run(1, 1, file="whole.sqlite3"), id="a whole test set"),
        pytest.param(lambda run, study: run(2, 2, system=opener(threshold=60)), id="a threshold"),
        pytest.param(
            lambda run, study: run(2, 2, prices={"fake": Price(amount="2", currency="USD")}),
            id="a price",
        ),
        pytest.param(
            lambda run, study: run(
                2,
                2,
                system=opener(
                    FakeBackend(script=[charged_answer(score=Score(0.5, "fake/v2"))] * 5)
                ),
            ),
            id="a scale",
        ),
    ],
)
def test_databases_that_are_no_parts_of_one_run_are_refused(study, run_part, other):
    price = Price(amount="1", currency="USD")
    first = run_part(1, 2, prices={"fake": price})
    databases = [first, other(run_part, study)]
    for order in (databases, databases[::-1]):
        with pytest.raises(InvalidRequest):
            read_answers(*order)


def test_a_part_with_other_systems_is_refused(study, run_part):
    databases = [run_part(1, 2), run_part(2, 2)]
    run_study(study.part(2, 2), {"another": opener()}, databases[1])
    with pytest.raises(InvalidRequest, match="another"):
        read_answers(*databases)


def test_there_is_a_database_to_read():
    with pytest.raises(InvalidRequest):
        read_answers()


def test_a_database_of_a_part_accepts_no_other_part(study, run_part):
    run_part(1, 2)
    system = opener()
    with pytest.raises(InvalidRequest, match="part 1/2"):
        run_part(2, 2, file="1.sqlite3", system=system)
    assert system.backend.calls == []


# --- Workers that die ----------------------------------------------------------------------------

PARTS = 4


@pytest.mark.slow
@pytest.mark.parametrize("moment", part_worker.MOMENTS)
def test_a_part_whose_worker_was_killed_is_run_again_and_no_pair_is_paid_twice(tmp_path, moment):
    """Two workers take one part after the other; the part of a worker that dies comes back."""
    for person in range(8):
        folder = tmp_path / "people" / f"p{person}"
        folder.mkdir(parents=True)
        for luminance in (40, 70):
            (folder / f"{luminance}.png").write_bytes(make_card(folder.name, luminance=luminance))
    study = draw_pairs(photographs(tmp_path / "people"), mated=8, non_mated=16)
    write_pairs_csv(tmp_path / "pairs.csv", study)
    stores = [f"sqlite:///{tmp_path}/{number}.sqlite3" for number in range(1, PARTS + 1)]
    exit_codes = []
    with MockServer(vendor="didit", switches={"write_limit": None}) as mock:

        def run(number):
            settings = {
                "pairs": str(tmp_path / "pairs.csv"),
                "part": [number, PARTS],
                "store": stores[number - 1],
                "url": mock.url,
                "key": mock.live_key,
                "moment": moment,
                "died": str(tmp_path / "died"),
            }
            code = -signal.SIGKILL
            while code == -signal.SIGKILL:
                code = subprocess.run(
                    [sys.executable, "-W", "error", part_worker.__file__, json.dumps(settings)],
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                    check=False,
                ).returncode
                exit_codes.append(code)

        with ThreadPoolExecutor(2) as workers:
            list(workers.map(run, range(1, PARTS + 1)))
        charges = collections.Counter()
        for entry in mock.control.journal():
            if entry.files:
                charges[frozenset(file.digest for file in entry.files)] += 1
                assert entry.charge
    assert sorted(exit_codes) == [-signal.SIGKILL] + [0] * PARTS
    with contextlib.ExitStack() as stack:
        databases = [
            stack.enter_context(contextlib.closing(RunDatabase(store))) for store in stores
        ]
        (answers,) = read_answers(*databases)
    digests = digests_of(study)
    pairs = [frozenset([digests[pair.probe], digests[pair.reference]]) for pair in study.pairs]
    assert charges == collections.Counter(pairs)
    unresolved = answers.parts.unresolved
    assert unresolved == (1 if moment == "in flight" else 0)
    assert int(answers.answered.sum()) + unresolved == len(pairs)
    assert answers.parts.present == list(range(1, PARTS + 1))
    assert not answers.parts.unfinished
