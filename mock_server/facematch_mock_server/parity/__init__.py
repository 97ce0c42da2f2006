"""`facematch parity`: compare a vendor with its mock in a few calls.

To compare another behaviour, add a `Step` to `_CALLS` or to the vendor's `steps`. Add a test to
`tests/mock_server/parity/test_parity.py` that changes the mock's response.
"""
