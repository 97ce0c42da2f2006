"""`facematch parity`: compare a vendor with its mock in a few calls.

To compare another behaviour, add a `Step` to `_CALLS` or to the vendor's `steps`, and a test with a
changed response of the mock to `tests/mock_server/parity/test_parity.py`.
"""
