"""Hypothesis strategies for results, errors and arguments: the shipped ones, by short names."""

from hypothesis import strategies as st

from facematch_core import CallRecord, Operation
from facematch_core.testing import strategies as shipped
from facematch_core.testing.strategies import PERCENTAGES, TEXTS, THRESHOLDS, TIMES

percentages = PERCENTAGES
json_values = shipped.json_values()
json_objects = st.dictionaries(TEXTS, json_values, max_size=3)
thresholds = THRESHOLDS
match_results = shipped.match_results()
liveness_results = shipped.liveness_results()
live_match_results = shipped.live_match_results()
attempts = st.builds(
    CallRecord,
    id=TEXTS,
    operation=st.sampled_from(Operation),
    backend=TEXTS,
    started_at=TIMES,
    kept=st.booleans(),
    caller_ref=st.none() | TEXTS,
    threshold=st.none() | thresholds,
    review_threshold=st.none() | thresholds,
)
