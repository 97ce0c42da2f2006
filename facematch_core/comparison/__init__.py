"""Compare vendors on photographs of people who are known: which one, at which threshold, how sure.

The steps are plain functions on data, so that each can be used alone: read a study, plan it, run
it, judge the scores, print the report, decide. It needs the extra ``compare``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._answers import Answers
    from ._calibrating import calibrate
    from ._document import Evaluation
    from ._evaluate import Asked, evaluate
    from ._json import from_document, to_document
    from ._plan import StudyPlan, plan_study
    from ._scores_csv import read_scores, write_scores
    from .gate import Verdict, judge, read_profile
    from .report import report_html, write_report
    from .running import (
        Journal,
        PairState,
        Price,
        RunSummary,
        Standing,
        StudyRun,
        read_answers,
        run_study,
    )
    from .simulation import SimulatedVendor, simulate, simulate_study
    from .study import Study, StudyPair, draw_pairs, photographs, read_study, split_by_subject

#: Public name to the module that has it; each is imported when it is first used.
_NAMES = {
    "simulate_study": "simulation",
    "Standing": "running",
    "RunSummary": "running",
    "Price": "running",
    "PairState": "running",
    "calibrate": "_calibrating",
    "simulate": "simulation",
    "SimulatedVendor": "simulation",
    "run_study": "running",
    "read_answers": "running",
    "StudyRun": "running",
    "Journal": "running",
    "Answers": "_answers",
    "Asked": "_evaluate",
    "Evaluation": "_document",
    "Study": "study",
    "StudyPair": "study",
    "StudyPlan": "_plan",
    "Verdict": "gate",
    "draw_pairs": "study",
    "evaluate": "_evaluate",
    "from_document": "_json",
    "judge": "gate",
    "photographs": "study",
    "plan_study": "_plan",
    "read_profile": "gate",
    "read_scores": "_scores_csv",
    "read_study": "study",
    "report_html": "report",
    "split_by_subject": "study",
    "to_document": "_json",
    "write_report": "report",
    "write_scores": "_scores_csv",
}

__all__ = [
    "Answers",
    "Asked",
    "Evaluation",
    "Journal",
    "PairState",
    "Price",
    "RunSummary",
    "SimulatedVendor",
    "Standing",
    "Study",
    "StudyPair",
    "StudyPlan",
    "StudyRun",
    "Verdict",
    "calibrate",
    "draw_pairs",
    "evaluate",
    "from_document",
    "judge",
    "photographs",
    "plan_study",
    "read_answers",
    "read_profile",
    "read_scores",
    "read_study",
    "report_html",
    "run_study",
    "simulate",
    "simulate_study",
    "split_by_subject",
    "to_document",
    "write_report",
    "write_scores",
]


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
