"""R21: keys and faces stay where they belong."""

from __future__ import annotations

import contextlib
import json
import pickle
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

import facematch_core as fm
from facematch_core.backend import Backend
from facematch_core.testing import leaks
from facematch_core.testing.bench import Bench, SimulatorMistake
from facematch_core.testing.simulator import FAILURES, Situation

from ._frame import Rules, rule

#: A place where one may look with its text; or a secret's name with its bytes.
Text = tuple[str, str | bytes]

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
                leaked = _find_leaks(hidden, seen)
                assert not leaked, f"{operation}, {situation.name}: {leaked}"


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
) -> Iterator[Text]:
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
    yield from _show(bench.backend)  # it may hold a token by now
    yield from (("a warning", str(each.message)) for each in warned)
    for outcome in outcomes:
        yield from (("an event", repr(event)) for event in outcome.events)
        if outcome.error is not None:
            yield "the error with its frames", leaks.told_by(outcome.error)
            yield "the pickled error", pickle.dumps(outcome.error)
        if (result := outcome.result) is not None:
            yield "the result", f"{result!r} {result}"
            yield "the JSON form", json.dumps(result.to_dict(), ensure_ascii=False)
            yield "the pickled result", pickle.dumps(result)


def _show(backend: Backend) -> Iterator[Text]:
    yield "the backend's text", f"{backend!r} {backend}"
    with contextlib.suppress(Exception):  # it may refuse to be pickled
        yield "its pickle", pickle.dumps(backend)


def _find_leaks(hidden: Iterable[tuple[str, bytes]], seen: list[Text]) -> str:
    """Say which kind of secret is seen where, and in which form, never the secret itself."""
    # One search over everything comes first, since it almost never finds anything.
    whole = b"\0".join(layer for _, text in seen for layer in leaks.layers(text))
    places = {
        f"{what} is in {where} ({', '.join(forms)})"
        for what, secret in hidden
        if leaks.find_forms(secret, [whole])
        for where, text in seen
        if (forms := leaks.find_leaks(secret, text))
    }
    return "; ".join(sorted(places))
