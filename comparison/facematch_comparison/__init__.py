"""Compare vendors on labelled pairs of photographs: error rates, thresholds, confidence intervals.

Each step is a plain function: draw or read a test set, plan its size, run it or read scores,
evaluate, write the report, check requirements. This package requires the extra ``compare``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from facematch_core.base.lazy import lazy_names

if TYPE_CHECKING:
    from .judging.evaluation import evaluate
    from .judging.gate import StudyPlan, Verdict, judge, plan_study
    from .judging.requirements import Requirements, read_requirements
    from .report.page import report_html, write_report
    from .report.writing import digest_answers, export, to_frame, wrong_pairs
    from .run.database import RunDatabase
    from .run.records import PairState, Price, Progress, UnresolvedCharge
    from .run.study_run import RunSummary, StudyRun, read_answers, run_study
    from .scores.answers import BILLED, DECISIONS, NO_DECISION, Answers, Grouping, frame_of
    from .scores.attributes import with_bands
    from .scores.columns import ColumnsNotRecognised
    from .scores.reading import read_scores
    from .study.drawing import draw_pairs
    from .study.reading import Study, StudyPair, photographs, read_study
    from .values.model import Costs, Evaluation, Evidence, Traffic

#: Public names by module; each is imported on first use.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "judging.evaluation": "evaluate",
        "judging.gate": "StudyPlan Verdict judge plan_study",
        "judging.requirements": "Requirements read_requirements",
        "report.page": "report_html write_report",
        "report.writing": "digest_answers export to_frame wrong_pairs",
        "run.database": "RunDatabase",
        "run.records": "PairState Price Progress UnresolvedCharge",
        "run.study_run": "RunSummary StudyRun read_answers run_study",
        "scores.answers": "BILLED DECISIONS NO_DECISION Answers Grouping frame_of",
        "scores.attributes": "with_bands",
        "scores.columns": "ColumnsNotRecognised",
        "scores.reading": "read_scores",
        "study.drawing": "draw_pairs",
        "study.reading": "Study StudyPair photographs read_study",
        "values.model": "Costs Evaluation Evidence Traffic",
    },
)

__all__ = [
    "BILLED",
    "DECISIONS",
    "NO_DECISION",
    "Answers",
    "ColumnsNotRecognised",
    "Costs",
    "Evaluation",
    "Evidence",
    "Grouping",
    "PairState",
    "Price",
    "Progress",
    "Requirements",
    "RunDatabase",
    "RunSummary",
    "Study",
    "StudyPair",
    "StudyPlan",
    "StudyRun",
    "Traffic",
    "UnresolvedCharge",
    "Verdict",
    "digest_answers",
    "draw_pairs",
    "evaluate",
    "export",
    "frame_of",
    "judge",
    "photographs",
    "plan_study",
    "read_answers",
    "read_requirements",
    "read_scores",
    "read_study",
    "report_html",
    "run_study",
    "to_frame",
    "with_bands",
    "write_report",
    "wrong_pairs",
]
