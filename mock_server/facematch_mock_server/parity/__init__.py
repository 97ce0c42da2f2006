"""`facematch parity`: compare a vendor with its mock in a few calls.

To compare another behaviour, add a `Step` that shows it to `_CALLS` or to the vendor's `steps`, and
a change of the mock's response to `tests/mock_server/parity/test_parity.py`.
"""
