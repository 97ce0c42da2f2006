"""`facematch parity`: compare a vendor with its mock by a few calls.

To compare more, add a `Step` whose answer shows it at the mock, to `_CALLS` or to the vendor's
`steps`, and a change of that answer to `tests/mock_server/parity/test_parity.py`.
"""
