import pytest

from facematch_mock_server.parity.calls import VENDORS


@pytest.mark.parametrize("name", VENDORS)
def test_a_vendor_that_is_as_its_mock_fails_no_claim(rehearse, name):
    vendor = rehearse(name)
    result = vendor.run("--yes", code=0)
    results = [row["result"] for row in result.rows.values()]
    assert "fails" not in results
    assert results.count("holds") > 8
    assert result.document["rehearsal"]
    assert len(vendor.control.charges()) <= result.document["charges"]
