"""R38-R41 and R46 where they cannot be tested, and where they nearly apply."""

import json

import attrs
import pytest

from facematch_core import ResultWarning, WarningCode
from facematch_core.plugins import backend_class
from facematch_core.testing import BackendContract, Situation, rules
from facematch_core.testing._contract._bench import Bench
from facematch_core.testing._opening import Alone
from facematch_core.testing._saboteurs import ParagonDouble
from facematch_core.testing._saboteurs._http_paragon import HttpParagon, HttpParagonDouble
from facematch_core.testing._saboteurs._mapping import DigitsAreANumber
from facematch_core.testing._saboteurs._registry import can
from facematch_core.testing._saboteurs._vendor import Vendor

R38 = BackendContract.test_r38_every_answer_has_one_error
R39 = BackendContract.test_r39_what_is_no_number_is_no_score
R40 = BackendContract.test_r40_any_body_is_read_or_refused
R41 = BackendContract.test_r41_same_answer_same_result


class TestHttpContract(BackendContract):
    """The paragon over HTTP keeps every rule; it is what most saboteurs of these rules are."""

    @pytest.fixture
    def double(self):
        with HttpParagonDouble() as double:
            yield double


def skipped(rule, double):
    """Why the rule does not run."""
    with pytest.raises(pytest.skip.Exception) as caught:
        rule(BackendContract(), Bench(double))
    return str(caught.value)


@pytest.mark.parametrize("rule", [R38, R39, R40])
def test_no_http_no_answers(rule):
    """What answers look like to another kind of backend, the kit cannot know."""
    assert skipped(rule, ParagonDouble()) == (
        "Does not apply: paragon is no HttpBackend: what answers look like to it, it alone knows."
    )


def test_no_scale_no_score():
    """Then nothing is held against a threshold."""

    class Scaleless(HttpParagon):
        capabilities = can(score_scale=None, liveness_scale=None)

    told = skipped(R39, HttpParagonDouble(Scaleless))
    assert told == "Does not apply: paragon declares no scale of scores."


def test_a_score_that_is_not_found_is_an_open_rule():
    """A vendor's number that is computed stands nowhere: a person should look."""

    class Computed(HttpParagon):
        def result(self, call, body):
            result = super().result(call, body)
            score = attrs.evolve(result.score, value=result.score.value / 2, raw=None)
            return attrs.evolve(result, score=score)

    told = skipped(R39, HttpParagonDouble(Computed))
    assert told == "Not tested: The score of paragon stands nowhere in its answers."


class Refuses(HttpParagon):
    """Its vendor answers about a picture without a face with a 400."""

    def parse_refusal(self, call, reply):
        body = self.body(reply)
        return self.result(call, body) if reply.status == 400 and "verdict" in body else None


class RefusingDouble(HttpParagonDouble):
    """That vendor."""

    def __init__(self, backend_class=Refuses):
        super().__init__(backend_class)
        self.vendor = Refusing()


class Refusing(Vendor):
    """What it says is an answer, and charged."""

    def ask(self, request, timeout_s):
        status, body = super().ask(request, timeout_s)
        return (400 if self.situation is Situation.NO_FACE else status), body


class RemembersRefusals(Refuses):
    """Every refusal comes from another edition of the model."""

    def parse_refusal(self, call, reply):
        self.count = vars(self).get("count", 0) + 1
        result = super().parse_refusal(call, reply)
        return None if result is None else attrs.evolve(result, model=f"paragon-{self.count}")


def test_a_result_in_a_refusal_is_read_again():
    """By R40 and R41 as any other; nothing is left open."""
    for rule in (R40, R41):
        rule(BackendContract(), Bench(RefusingDouble()))
    with pytest.raises(AssertionError, match="paragon-"):
        R41(BackendContract(), Bench(RefusingDouble(RemembersRefusals)))


def test_a_result_by_another_way_is_named():
    """What was answered then, the kit cannot know."""

    class Direct(HttpParagon):
        def match(self, call):
            return self.result(call, self.body(self._reply(call)))

    assert skipped(R41, HttpParagonDouble(Direct)) == (
        "Not tested: paragon makes its result of SAME_PERSON without `parse` and `parse_refusal`, "
        "so that the answer is not seen."
    )


class Words(HttpParagon):
    """Reads an answer that is a text."""

    def body(self, reply):
        return json.loads(super().body(reply))


def test_an_answer_that_is_no_document_is_named():
    """A text, or XML: nothing in it can be changed at a place."""

    class WordsDouble(HttpParagonDouble):
        def backend(self, **settings):
            backend = super().backend(**settings)
            backend.client.vendor = Wordy(self.vendor)
            return backend

    assert skipped(R41, WordsDouble(Words)) == (
        "Not tested: What paragon is answered in SAME_PERSON is no JSON object and no list."
    )


class Wordy:
    """The vendor, whose answers are texts."""

    def __init__(self, vendor):
        self.vendor = vendor

    def connect(self):
        self.vendor.connect()

    def ask(self, request, timeout_s):
        status, body = self.vendor.ask(request, timeout_s)
        return status, json.dumps(body)


def test_digits_may_be_read_with_a_warning():
    """As Deepvue's are; without one it is a saboteur."""

    class Careful(DigitsAreANumber):
        def warnings(self, body):
            note = ResultWarning(code=WarningCode.OTHER, text="The score came as text.")
            return (*super().warnings(body), *([note] if self.was_text else []))

        def number(self, value):
            self.was_text = isinstance(value, str)
            return super().number(value)

        def found(self, number, about):
            return attrs.evolve(super().found(number, about), warnings=self.warnings(_QUIET))

        def aged(self, call, number, about):
            aged = super().aged(call, number, about)
            return attrs.evolve(aged, warnings=self.warnings(_QUIET))

    R39(BackendContract(), Bench(HttpParagonDouble(Careful)))


_QUIET = {"warnings": ()}


@pytest.mark.parametrize("name", ["didit", "deepvue", "local"])
@pytest.mark.parametrize("rule", [rule for rule in rules() if rule.pure], ids=lambda r: r.number)
def test_pure_rules_need_no_double(rule, name):
    """They run, or do not apply, with nothing but the class."""
    bench = Bench(Alone(backend_class(name)))
    ran = getattr(BackendContract(), rule.name)
    if name == "local" and rule.number in ("R38", "R40"):
        with pytest.raises(pytest.skip.Exception, match="Does not apply: local is no HttpBackend"):
            ran(bench)
    else:
        ran(bench)
    bench.close()
