"""Ids for a vendor that documents no longest one: facematch has no limit, either."""

import attrs
import pytest
from kit.fakes import json_reply
from kit.sessions import session_record
from kit.vendors import open_backend

import facematch_core as fm
from facematch_core.backend import ReadRequest

LONG = "x" * 5000


@pytest.mark.parametrize("vendor", ["azure", "persona", "stripe"])
def test_the_vendor_decides_whether_an_id_is_too_long(vendor):
    backend = open_backend(vendor)
    record = session_record(vendor, session_id=LONG, compared_with="given")
    error = backend.read_reply(ReadRequest(record=record), json_reply({"no": "route"}, 404))
    assert isinstance(error, fm.VendorError)
    # Such an id would change the path.
    record = attrs.evolve(record, session_id=f"{LONG}/..")
    with pytest.raises(fm.InvalidRequest):
        backend.read_reply(ReadRequest(record=record), json_reply({}))
