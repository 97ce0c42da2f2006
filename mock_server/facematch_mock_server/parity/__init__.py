"""`facematch parity`: a vendor beside its mock, by the few calls that show what it claims.

An aspect in which the vendor's answer differs counts against the claims that the mock's rests on:
those with words of an answer (`Reply`) first, or against that of a row of `VendorCalls.links`.
To have a claim seen, add a `Step` whose answer shows it at the mock, to `_CALLS` or to the vendor's
`steps`. To have it named exactly, add a link. Add a row that breaks it to
`tests/mock_server/parity/test_parity.py`.
"""
