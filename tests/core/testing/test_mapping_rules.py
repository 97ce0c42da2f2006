"""R38-R41 and R46 where they cannot be tested, and where they nearly apply."""

import contextlib
import json

import attrs
import pytest
from mutants.reference import HttpReference, HttpReferenceSimulator, ReferenceSimulator, can
from mutants.table import MUTANTS

from facematch_core import ResultWarning, WarningCode
from facematch_core.plugins import backend_class
from facematch_core.testing import BackendContract, Situation, rules
from facematch_core.testing.bench import Bench
from facematch_core.testing.running import Alone

R38 = BackendContract.test_r38_every_answer_has_one_error
R39 = BackendContract.test_r39_what_is_no_number_is_no_score
R40 = BackendContract.test_r40_any_body_is_read_or_refused
R41 = BackendContract.test_r41_same_answer_same_result


def judge(rule, simulator):
    """Run the rule."""
    with simulator:
        bench = Bench(simulator)
        try:
            rule(BackendContract(), bench)
        finally:
            bench.close()


def skipped(rule, simulator):
    """Why the rule does not run."""
    with pytest.raises(pytest.skip.Exception) as caught:
        judge(rule, simulator)
    return str(caught.value)


@pytest.mark.parametrize("rule", [R38, R39, R40])
def test_no_http_no_answers(rule):
    """What answers look like to another kind of backend, the kit cannot know."""
    assert skipped(rule, ReferenceSimulator()) == (
        "Does not apply: reference is no HttpBackend, and its simulator takes no replies: what "
        "answers look like to it, it alone knows."
    )


def test_no_scale_no_score():
    """Then nothing is held against a threshold."""

    class Scaleless(HttpReference):
        capabilities = can(score_scale=None, liveness_scale=None)

    told = skipped(R39, HttpReferenceSimulator(Scaleless))
    assert told == "Does not apply: reference declares no scale of scores."


def test_a_score_that_is_not_found_is_an_open_rule():
    """A vendor's number that is computed stands nowhere: a person should look."""

    class Computed(HttpReference):
        def result(self, call, body):
            result = super().result(call, body)
            score = attrs.evolve(result.score, value=result.score.value / 2, raw=None)
            return attrs.evolve(result, score=score)

    told = skipped(R39, HttpReferenceSimulator(Computed))
    assert told == "Not tested: The score of reference stands nowhere in its answers."


class Refuses(HttpReference):
    """Its vendor answers about a picture without a face with a 400."""

    def parse_non_200(self, call, reply):
        body = self.body(reply)
        return self.result(call, body) if reply.status == 400 and "verdict" in body else None


class RefusingSimulator(HttpReferenceSimulator):
    """That vendor: what it says is an answer, and charged."""

    def __init__(self, backend_class=Refuses):
        super().__init__(backend_class)

    def answer(self, request, situation, score):
        told = super().answer(request, situation, score)
        no_face = situation is Situation.NO_FACE
        return attrs.evolve(told, status=400, charged=True) if no_face else told


class RemembersRefusals(Refuses):
    """Every refusal comes from another edition of the model."""

    def parse_non_200(self, call, reply):
        self.count = vars(self).get("count", 0) + 1
        result = super().parse_non_200(call, reply)
        return None if result is None else attrs.evolve(result, model=f"reference-{self.count}")


def test_a_result_in_a_refusal_is_read_again():
    """By R40 and R41 as any other; nothing is left open."""
    for rule in (R40, R41):
        judge(rule, RefusingSimulator())
    with pytest.raises(AssertionError, match="reference-"):
        judge(R41, RefusingSimulator(RemembersRefusals))


def test_an_answer_by_another_way_is_named():
    """What was answered then, the kit cannot know."""

    class Elsewhere(HttpReference):
        def match(self, call):
            other = HttpReference(api_key=self.api_key, base_url=self.base_url)
            with contextlib.closing(other):
                return other.match(call)

    assert skipped(R41, HttpReferenceSimulator(Elsewhere)) == (
        "Not tested: reference does not send by its `client`, so that the answer to SAME_PERSON "
        "is not seen."
    )


class Words(HttpReference):
    """Reads an answer that is a text."""

    def body(self, reply):
        return json.loads(super().body(reply))


def test_an_answer_that_is_no_document_is_named():
    """A text, or XML: nothing in it can be changed at a place."""

    class WordsSimulator(HttpReferenceSimulator):
        def answer(self, request, situation, score):
            told = super().answer(request, situation, score)
            return attrs.evolve(told, body=json.dumps(told.body))

    assert skipped(R41, WordsSimulator(Words)) == (
        "Not tested: What reference is answered in SAME_PERSON is neither a JSON object nor a list."
    )


def test_digits_may_be_read_with_a_warning():
    """As Deepvue's are; without one it is a mutant."""

    class Careful(HttpReference):
        def result(self, call, body):
            said = body["score"]
            if not isinstance(said, str):
                return super().result(call, body)
            result = super().result(call, {**body, "score": float(said)})
            note = ResultWarning(code=WarningCode.OTHER, text="The score came as text.")
            return attrs.evolve(result, warnings=(*result.warnings, note))

    judge(R39, HttpReferenceSimulator(Careful))
    with pytest.raises(AssertionError, match="score"):
        judge(R39, MUTANTS["DigitsAreANumber"].make())


@pytest.mark.parametrize("name", ["didit", "deepvue", "local"])
@pytest.mark.parametrize("rule", [rule for rule in rules() if rule.pure], ids=lambda r: r.number)
def test_pure_rules_need_no_simulator(rule, name):
    """They run, or do not apply, with nothing but the class."""
    bench = Bench(Alone(backend_class(name)))
    ran = getattr(BackendContract(), rule.name)
    if name == "local" and rule.number in ("R38", "R40"):
        with pytest.raises(pytest.skip.Exception, match="Does not apply: local is no HttpBackend"):
            ran(bench)
    else:
        ran(bench)
    bench.close()
