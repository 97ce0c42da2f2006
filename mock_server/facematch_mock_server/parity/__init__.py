"""`facematch parity`: compare a vendor with its mock in a few calls.

- A *step* (`calls`) says how a call differs from an ordinary one; `VendorCalls` says how a vendor's
  calls differ from the usual ones.
- A *call* is a step that was made (`RecordedCall`): its outcome and its *replies*, one per HTTP
  request. It is *lost* if no reply came from the vendor itself, but for example from a gateway.
- An *aspect* is what is stored of a reply or an outcome: ``shape faces[].box`` is ``object``.
- The *twin* is the same backend with the mock's address and keys.

To compare another behaviour, add a `Step` to `_CALLS` or to the vendor's `steps`. Add a test to
`tests/mock_server/parity/test_parity.py` that changes the mock's response.
"""
