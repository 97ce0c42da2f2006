"""Make the vendor's calls at the mock, which is prepared to decide as the vendor did."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping

from .calls import Step
from .recorded import CallPair, RecordedCall
from .recording import Calls, Recorder

#: Scores that lead to a decision; 5 leads to all others.
_SCORES = {"match": 95.0, "live": 95.0, "review": 50.0}


def ask_mock(recorder: Recorder, steps: Iterable[Step], vendor_calls: Calls) -> list[CallPair]:
    """Send each call that the vendor itself answered to the mock too."""
    control = recorder.control
    files = recorder.files
    pairs: list[CallPair] = []
    answered = {name: call for name, call in vendor_calls.items() if not call.lost}
    _add_workflow(recorder, vendor_calls)
    for step in steps:
        if step.name not in answered:
            continue
        if step.started_by and step.started_by not in recorder.started:
            continue
        call = answered[step.name]
        cards = choose_cards(step, call, answered)
        # If no outcome is set, the mock reads cards and rejects files that are not pictures.
        control.clear_outcomes()
        if call.decision is not None and _shows_faces(step) and "no-face" not in cards.values():
            score = choose_score(step, call, answered.get(step.scored_by, call))
            control.set_outcome(step.operation.value, score=score, times=None)
        recorder.files = files | {file: files[card] for file, card in cards.items()}
        mock_call = recorder.make(step, call.threshold)
        recorder.calls[step.name] = mock_call
        pairs.append(CallPair(name=step.name, vendor_call=call, mock_call=mock_call))
    return pairs


def _add_workflow(recorder: Recorder, vendor_calls: Calls) -> None:
    """Let the mock know the profile's workflow if the vendor knows it, and reject all others."""
    setting = recorder.vendor.setting_for_sessions
    start_with_own_workflow = vendor_calls.get("session")
    if not setting or start_with_own_workflow is None:
        return
    workflow_id = getattr(recorder.backend, setting)
    start_with_unknown_workflow = vendor_calls.get("session-bad-field")
    if start_with_unknown_workflow is not None:
        if start_with_unknown_workflow.is_accepted:
            # The vendor accepts any workflow, like a mock that knows none.
            return
        if start_with_unknown_workflow.answers == start_with_own_workflow.answers:
            # The vendor rejects the profile's workflow, too. The mock rejects it if it knows
            # another one.
            workflow_id = str(uuid.uuid4())
    # A biometric workflow starts no session, because no face is stored.
    kind = "biometric" if start_with_own_workflow.error == "RequestRejected" else "kyc"
    recorder.control.sessions.workflow(workflow_id, kind=kind)


def _shows_faces(step: Step) -> bool:
    return step.probe in ("same", "largest", "too-large") and step.reference != "no-face"


def choose_cards(
    step: Step, call: RecordedCall, answered: Mapping[str, RecordedCall]
) -> dict[str, str]:
    """Return the test card to send in place of each file in which the vendor saw other faces."""
    if (call.faces or 0) > 1 or call.has_warning("multiple_faces"):
        return {"same": "two-faces", "largest": "two-faces"}
    if call.score is not None or not _shows_faces(step) or not call.has_warning("no_face"):
        return {}
    # "largest" is the picture "same": if only one of them has no face, that is a finding.
    is_same_without_face = "same" in answered and answered["same"].has_warning("no_face")
    if step.probe != "same" and not is_same_without_face:
        return {}
    if call.faces:
        return {step.reference: "no-face"}
    return {"same": "no-face", "largest": "no-face"}


def choose_score(step: Step, call: RecordedCall, scored: RecordedCall) -> float:
    """Return the score to set in the mock, so that the mock makes the vendor's decision.

    This is the vendor's score, or that of the call `scored` if the step's threshold is derived from
    it. If the vendor returned none, it is a score that fits the decision. A score up to 1 for two
    pictures of one person is on another scale and becomes 95. Without a threshold, decimals are
    added to show how many the mock returns, except to 0, 50 and 100.
    """
    has_threshold = step.threshold_offset is not None
    score = call.score
    if score is None and has_threshold:
        score = scored.score
    if score is None:
        score = _SCORES.get(str(call.decision), 5.0)
    if step.reference == "again" and 0 < score <= 1:
        return 95.0
    if has_threshold or score % 50 == 0:
        return score
    return score + 0.00123
