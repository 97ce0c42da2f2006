"""Compare vendors on photographs of people who are known: which one, at which threshold, how sure.

The steps are plain functions on data, so that each can be used alone: read a test set, plan it, run
it or read scores, judge them, print the report, decide. It needs the extra ``compare``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from facematch_core.base.lazy import lazy_names

if TYPE_CHECKING:
    from .answers import BILLED, DECISIONS, NO_DECISION, Answers, Grouping, PairNames, ScoreTable
    from .calibration import calibration_of
    from .columns import ColumnsNotRecognised
    from .evaluation import evaluate
    from .gate import Verdict, judge
    from .io import read_scores
    from .model import Costs, Evaluation, Evidence, WrongPair
    from .plan import DifferencePlan, StudyPlan, plan_study
    from .report import report_html, write_report
    from .requirements import Requirements, read_requirements
    from .run import (
        PairState,
        Price,
        Progress,
        RunDatabase,
        RunSummary,
        StudyRun,
        UnresolvedCharge,
        embed,
        read_answers,
        run_study,
    )
    from .study import Study, StudyPair, draw_pairs, photographs, read_study, split_by_subject
    from .writing import digest_answers, export, to_frame, wrong_pairs

#: Module to its public names; each is imported when it is first used.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "answers": "BILLED DECISIONS NO_DECISION Answers Grouping PairNames ScoreTable",
        "calibration": "calibration_of",
        "columns": "ColumnsNotRecognised",
        # Not from the model: with this module comes what a notebook shows of it.
        "evaluation": "Evaluation evaluate",
        "gate": "Verdict judge",
        "io": "read_scores",
        "model": "Costs Evidence WrongPair",
        "plan": "DifferencePlan StudyPlan plan_study",
        "report": "report_html write_report",
        "requirements": "Requirements read_requirements",
        "run": (
            "PairState Price Progress RunDatabase RunSummary StudyRun UnresolvedCharge embed "
            "read_answers run_study"
        ),
        "study": "Study StudyPair draw_pairs photographs read_study split_by_subject",
        "writing": "digest_answers export to_frame wrong_pairs",
    },
)

__all__ = [
    "BILLED",
    "DECISIONS",
    "NO_DECISION",
    "Answers",
    "ColumnsNotRecognised",
    "Costs",
    "DifferencePlan",
    "Evaluation",
    "Evidence",
    "Grouping",
    "PairNames",
    "PairState",
    "Price",
    "Progress",
    "Requirements",
    "RunDatabase",
    "RunSummary",
    "ScoreTable",
    "Study",
    "StudyPair",
    "StudyPlan",
    "StudyRun",
    "UnresolvedCharge",
    "Verdict",
    "WrongPair",
    "calibration_of",
    "digest_answers",
    "draw_pairs",
    "embed",
    "evaluate",
    "export",
    "judge",
    "photographs",
    "plan_study",
    "read_answers",
    "read_requirements",
    "read_scores",
    "read_study",
    "report_html",
    "run_study",
    "split_by_subject",
    "to_frame",
    "write_report",
    "wrong_pairs",
]
