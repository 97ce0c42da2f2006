"""`facematch parity`: a vendor beside its mock, by the few calls that show what it claims.

No claim has code of its own here. The mock says which claims each of its answers rests on; an
aspect in which the vendor's answer to the same call differs is counted against them: against those
with words of an answer (`Reply`), if there are any. Where it is about another claim, a row of
`VendorCalls.links` says so; the first that fits counts.

To have a claim seen, add a `Step` whose answer shows it at the mock, to `_CALLS` or to the vendor's
`steps`. To have it named exactly, add a link. Add a row that breaks it to
`tests/mock_server/parity/test_parity.py`.
"""
