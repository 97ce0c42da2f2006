"""R21: keys and faces stay where they belong."""

from __future__ import annotations

import contextlib
import json
import pickle
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

import facematch_core as fm
from facematch_core.testing import leaks
from facematch_core.testing.bench import Bench, SimulatorMistake
from facematch_core.testing.simulator import FAILURES, Situation

from ._frame import Rules, rule

#: Answers that different lines of a plug-in read, all failures, and an answer that does not come.
LEAKING = (
    *(Situation.SAME_PERSON, Situation.LIVE, Situation.NO_FACE, Situation.UNKNOWN_STATUS),
    *(Situation.UNKNOWN_WARNING, *FAILURES, Situation.SLOW),
)


class PrivacyRules(Rules):
    """Keys and faces stay where they belong."""

    @pytest.mark.parametrize("situation", LEAKING, ids=str)
    @rule("R51")
    def test_r21_nothing_leaks(self, bench: Bench, situation: Situation, capfd: Any) -> None:
        """No key, token or picture is in a result, an error, its frames, an event, a log, or what
        the backend prints or pickles.

        Results go to databases and errors to trackers that others read. A face cannot be changed
        like a password.
        """
        for operation in bench.operations_for(situation):
            pair, hidden = bench.simulator.pictures_for(situation), {*secrets_of(bench)}
            for image in (*pair, *bench.fit(pair)):
                samples = leaks.picture_samples(image)
                if not samples:
                    raise SimulatorMistake("its pictures are too plain to be found: take others")
                hidden |= {("a picture", sample) for sample in samples}
            # A plug-in never reads an answer that does not come, whichever request it is for.
            stalls = situation is Situation.SLOW
            for step in [None] if stalls else bench.each_step(operation, situation):
                seen = [*_observe(bench, operation, situation, step)]
                seen.append(("the console", "".join(capfd.readouterr())))
                leaked = set[str]()
                for where, text in seen:
                    written = [*leaks.layers(text)]
                    for what, secret in hidden:
                        forms = leaks.find_forms(secret, written)
                        leaked |= {f"{what} is in {where} ({form})" for form in forms}
                assert not leaked, "; ".join(sorted(leaked))


def secrets_of(bench: Bench) -> Iterator[tuple[str, bytes]]:
    """Yield the simulator's secrets, each with what it is; of a long one both its ends."""
    for secret in bench.simulator.secrets:
        # A log with "only the beginning" of a key still gives it away.
        ends, what = {secret}, "a secret"
        if len(secret) >= 24:
            ends, what = {secret[:12], secret[-12:]}, "the beginning or end of a secret"
        yield from ((what, end.encode()) for end in ends)


def _observe(
    bench: Bench, operation: fm.Operation, situation: Situation, step: int | None
) -> Iterator[tuple[str, str]]:
    """Yield whatever can be seen of a call, made as an application does, and directly."""
    ways = [bench.ask, bench.ask_directly]
    if situation is Situation.SLOW:
        # Once, since it takes its time; without a deadline of the backend's own by the verifier.
        ways = [bench.ask_directly if bench.backend.keeps_deadline else bench.ask]
    with (
        leaks.capture_log() as log,
        warnings.catch_warnings(record=True, action="always") as warned,
    ):
        outcomes = [ask(operation, situation, step=step) for ask in ways]
    yield "the log", log.getvalue()
    yield "a warning", " ".join(str(each.message) for each in warned)
    # The backend may hold a token after the call.
    yield "the backend's text", f"{bench.backend!r} {bench.backend}"
    with contextlib.suppress(Exception):  # it may refuse to be pickled
        yield "its pickle", _pickled(bench.backend)
    for outcome in outcomes:
        yield "an event", repr(outcome.events)
        if outcome.error is not None:
            yield "the error with its frames", leaks.told_by(outcome.error)
            yield "the pickled error", _pickled(outcome.error)
        if (result := outcome.result) is not None:
            document = json.dumps(result.to_dict(), ensure_ascii=False)
            yield "the result", f"{result!r} {result} {document}"
            yield "the pickled result", _pickled(result)


def _pickled(value: object) -> str:
    return pickle.dumps(value).decode("latin-1")
