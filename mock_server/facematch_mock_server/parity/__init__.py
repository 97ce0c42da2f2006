"""`facematch parity`: a vendor beside its mock, by the few calls that show what it does.

To have more seen, add a `Step` whose answer shows it at the mock, to `_CALLS` or to the vendor's
`steps`, and a change of that answer to `tests/mock_server/parity/test_parity.py`.
"""
