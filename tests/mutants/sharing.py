"""Mutants that keep what belongs to a call, and of what reaches whom: ids, pictures, options."""

import base64
import functools
import os
import queue
import threading

import attrs
from mutants.making import http, row, vendor
from mutants.reference import (
    KEY,
    HttpReference,
    HttpReferenceSimulator,
    JobReference,
    JobSimulator,
    ReferenceBackend,
    ReferenceSimulator,
    StepsReference,
    StepsSimulator,
    can,
)

import facematch_core as fm
from facematch_core.backend import Backend
from facematch_core.base.deadline import NO_DEADLINE
from facematch_core.testing import SimulatorReply, Situation

MATCH, LIVENESS = fm.Operation.MATCH, fm.Operation.LIVENESS

# Where a call is kept.


def keeps(name, where, keep):
    """A mutant that hands each call to `keep`."""
    fault = f"Keeps every call {where}."
    return row("R28", name, fault, request=lambda me, ok, call: (keep(me, call), ok(call))[1])


def in_a_text(me, call):
    vars(me)["text"] = vars(me).get("text", b"") + base64.b64encode(call.probe.data)


def as_text(keep):
    return lambda me, call: keep(base64.b64encode(call.probe.data).decode())


QUEUE = queue.Queue()

# A vendor that only compares, and says more beside the comparison.

#: What it says of the probe, where that is not the usual.
REPORTS = {Situation.SPOOF: {"authentic": "spoof"}, Situation.NO_FACE: {"face": "none"}}


class ReportReference(ReferenceBackend):
    """Conforms; only compares, and reads what its vendor reports beside the comparison."""

    capabilities = can(operations=frozenset({MATCH}), billed_operations=frozenset({MATCH}))
    check_liveness = Backend.check_liveness

    def result(self, call, body):
        report, warnings = self.report(body["report"]), []
        if report["authentic"] != "yes":
            warnings.append([report["authentic"], None, "high"])
        if report["face"] != "clear":
            warnings.append(["NO_FACE", None, "high"])
            body = {**body, "score": None}
        return super().result(call, {**body, "warnings": [*body["warnings"], *warnings]})

    def report(self, report):
        return report


class ReportSimulator(ReferenceSimulator):
    """The vendor, who compares whatever it is shown, and reports of the probe beside that."""

    situations = ReferenceSimulator.situations - {Situation.LIVE}

    def __init__(self, backend_class=ReportReference):
        super().__init__(backend_class)

    def answered(self, words, key, situation, score):
        report = REPORTS.get(situation, {})
        met = Situation.SAME_PERSON if report else situation
        status, body = super().answered(words, key, met, score)
        if "score" in body:
            body["report"] = {"authentic": "yes", "face": "clear"} | report
        return status, body


# A vendor that wants a login, and makes its tokens old.


@attrs.define(kw_only=True, eq=False, slots=False)
class LoginReference(HttpReference):
    """Conforms; asks with a token, and renews it where it is refused."""

    tokens: list = attrs.field(init=False, factory=list)
    lock: object = attrs.field(init=False, factory=threading.Lock)

    def sign(self, request, call, *, deadline=NO_DEADLINE):
        with self.lock:
            if not self.tokens:
                self.tokens.append(self.token(call, deadline))
            return attrs.evolve(request, headers={"X-Api-Key": self.tokens[-1]})

    def token(self, call, deadline):
        request = self.post("login", json={})
        reply = self.client.send(request, backend=self.name, charges=0, deadline=deadline)
        if reply.status != 200:
            raise self.error(reply, call)
        return fm.Secret(reply.json()["token"])

    def should_relogin(self, request, reply):
        if reply.status != 401 or reply.at("error") != "old":
            return False
        with self.lock:
            self.tokens[:] = [each for each in self.tokens if each != request.headers["X-Api-Key"]]
        return True


class LoginSimulator(HttpReferenceSimulator):
    """The vendor, whose token is another one in each situation."""

    token = f"token-{KEY}"

    def __init__(self, backend_class=LoginReference):
        super().__init__(backend_class)

    def set_situation(self, situation, **how):
        self.token = f"token-{next(self._numbers)}-{KEY}"
        super().set_situation(situation, **how)

    def counts(self, request):
        return request.headers["X-Api-Key"] == self.token

    def answer(self, request, situation, score):
        key = request.headers["X-Api-Key"]
        if request.path == "/login":
            if situation is Situation.BAD_KEY or key != KEY:
                return SimulatorReply(body={"error": "no"}, status=401)
            return SimulatorReply(body={"token": self.token}, charged=False)
        if key != self.token:
            return SimulatorReply(body={"error": "old"}, status=401)
        return super().answer(request, situation, score)


def beside(**words):
    """The vendor over HTTP, whose answers have this, too; in SPOOF what is second of each."""

    def answered(me, ok, sent, key, *met):
        is_spoof = met[0] is Situation.SPOOF and "reference" in sent
        status, body = ok(sent, key, *((Situation.SAME_PERSON, None) if is_spoof else met))
        return status, body | {word: pair[is_spoof] for word, pair in words.items()}

    return vendor(HttpReferenceSimulator, answered=answered)


def a_pass_of_all(me, ok, call, body, score):
    passes = all(check["passed"] is True for check in body["checks"])
    return ok(call, body, score) if passes else ok(call, body | {"verdict": "no"}, score)


def of_the_environment(me, ok, path, **body):
    key = os.environ.get("REFERENCE_API_KEY") or me.api_key
    return attrs.evolve(ok(path, **body), headers={"X-Api-Key": key})


def closed_gate():
    gate = threading.Lock()
    gate.acquire()
    return gate


def start_thread(seconds, gate):
    """One that waits at a gate, which keeps no list of them, until it is opened."""

    def wait():
        if gate.acquire(timeout=seconds):
            gate.release()

    threading.Thread(target=wait, daemon=True).start()


def open_gate(me, ok):
    """Replaces `close`."""
    if gate := vars(me).pop("gate", None):
        gate.release()
    return ok()


def only_for(operation, options=("rotate", "retention", "options")):
    """Declares that these options are for one operation alone."""
    return can(option_operations=dict.fromkeys(options, frozenset({operation})))


login = functools.partial(row, base=LoginReference, simulator=LoginSimulator)
report = functools.partial(row, base=ReportReference, simulator=ReportSimulator)
job = functools.partial(row, base=JobReference, simulator=JobSimulator)

# fmt: off
ROWS = (
    keeps("KeepsItsText", "as the base64 that was sent, in a list of a function",
        as_text([].append)),
    keeps("KeepsInAQueue", "as such a text in a queue that nobody reads", as_text(QUEUE.put)),
    keeps("KeepsOneLongText", "at the end of one long text", in_a_text),

    # Ids
    row("R01", "NamesTheLastAnswer", "Reads the id of each answer as that of the call.",
        base=StepsReference, simulator=StepsSimulator,
        vendor_id=lambda me, ok, reply: reply.json()["id"]),
    job("R01", "NamesItsReport", "Results carry the id of the report instead of that of the job.",
        result=lambda me, ok, call, body: attrs.evolve(result := ok(call, body),
            ids=attrs.evolve(result.ids, vendor=f"report-of-{body['id']}"))),

    # Beside the comparison
    report("R11", "ReadsNoFace", "Reads the score, and not that no face was found beside it.",
        report=lambda me, ok, report: ok(report) | {"face": "clear"}),

    http("R06", "ReadsNoWordOfAPhoto", "Does not read that the probe of a comparison is a photo.",
        simulator=beside(authentic=("yes", "photo"))),
    http("R06", "ReadsThatWordForACallersThreshold", "Reads it only where the caller sets one.",
        simulator=beside(authentic=("yes", "photo")),
        decision=lambda me, ok, call, body, score: fm.Decision.NO_MATCH
            if call.threshold.source is fm.ThresholdSource.CALLER
            and body.get("authentic") == "photo" else ok(call, body, score)),
    http("R38", "AllOfNothing", "All of its checks have passed where the list of them is empty.",
        simulator=beside(checks=([{"passed": True}], [{"passed": False}])),
        decision=a_pass_of_all),
    http("R38", "VerdictsByTheirBeginning", "Whatever begins as a verdict is that verdict.",
        decision=lambda me, ok, call, body, score: ok(
            call, body | {"verdict": body["verdict"].partition("_")[0]}, score)),

    row("R02", "OneIsTheWhole", "A score of 1 is the best fraction there is: 100.",
        score=lambda me, ok, call, score: ok(call, 100.0 if score == 1 else score)),

    # Logins, keys and threads
    row("R21", "PrintsPastPython", "A library of C prints the key.",
        request=lambda me, ok, call: (os.write(2, KEY.encode()), ok(call))[1]),
    login("R51", "NeverSignsInAgain", "A token that is refused is refused for ever.",
        should_relogin=lambda me, ok, request, reply: False),
    login("R19", "SignsInForEver", "The login does not heed the deadline of its call.",
        token=lambda me, ok, call, deadline: ok(call, NO_DEADLINE)),
    row("R21", "PicklesItsToken", "Can be sent to another process, with the token of its calls.",
        request=lambda me, ok, call: (vars(me).update(token=KEY), ok(call))[1],
        __reduce__=lambda me, ok: (str, (vars(me).get("token", "-"),))),
    http("R30", "TheEnvironmentComesFirst", "A key of the environment takes the place of its own.",
        simulator=vendor(HttpReferenceSimulator, answer=lambda me, ok, request, situation, score:
            ok(request, situation if request.headers["X-Api-Key"] == KEY
                else Situation.BAD_KEY, score)),
        post=of_the_environment),
    row("R30", "LeavesAThread", "A thread goes on after the backend that has started it.",
        __init__=lambda me, ok, *how: (ok(*how), start_thread(3.0, closed_gate()))[0]),
    row("R28", "StartsAThreadEachTime", "Each call leaves a thread that waits.",
        close=open_gate, request=lambda me, ok, call: (start_thread(
            300.0, vars(me).setdefault("gate", closed_gate())), ok(call))[1]),

    # Pictures and options
    row("R25", "KeepsTheLastOptions", "A call without options has those of the last one.",
        request=lambda me, ok, call: ok(call) | {"options": vars(me).setdefault("kept", {}).update(
            {"note": call.options.note} if call.options else {}) or me.kept.get("note")}),
    row("R25", "SendsWhatIsForChecks", "Options that are for checks alone go with comparisons.",
        capabilities=can(option_operations={"note": frozenset({LIVENESS})})),
    http("R42", "BreaksItsLines", "Sends base64 as mails have it, with line breaks.",
        request=lambda me, ok, call: ok(call) | {"probe":
            base64.encodebytes(call.probe.data).decode()}),
    row("R25", "DropsItsOptionsOfChecks", "Options are declared for both operations, and heard of "
        "in comparisons alone.",
        request=lambda me, ok, call: ok(call) | ({"options": None}
            if call.operation is LIVENESS else {})),
    row("R25", "DropsRotateOfChecks", "Turning is declared for both operations, and asked for in "
        "comparisons alone.",
        request=lambda me, ok, call: ok(call) | ({"rotate": False}
            if call.operation is LIVENESS else {})),
    row("R25", "MisspellsAnOption", "Declares of what is no option which operation it is for.",
        capabilities=only_for(MATCH, ["rotated"])),
)
