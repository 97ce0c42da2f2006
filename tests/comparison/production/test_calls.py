import datetime as dt

import pytest

from facematch_comparison.production.calls import Selection, table_of
from facematch_comparison.production.drift import measure_drift
from facematch_core.call_log import LoggedCall, Side
from facematch_core.errors import InvalidRequest
from facematch_core.models import Operation

NOW = dt.datetime(2026, 11, 28, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize("system", [None, "didit"])
def test_calls_that_no_vendor_answered_are_refused(system):
    call = LoggedCall(
        call_id="call-1", side=Side.ANSWERED, at=NOW, operation=Operation.MATCH, error="RateLimited"
    )
    with pytest.raises(InvalidRequest):
        measure_drift(table_of([call]), Selection(), log="log", made_at=NOW, system=system)
