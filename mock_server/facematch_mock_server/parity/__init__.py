"""`facematch parity`: compare a vendor with its mock in a few calls.

- A *step* (`calls`) says how a call differs from an ordinary one; `VendorCalls` says how a vendor's
  calls differ from the usual ones.
- A *call* is a step that was made (`recorded`): its outcome and its *replies*, one per HTTP
  request. It is *lost* if no reply came from the vendor itself, but for example from a gateway.
- An *aspect* (`aspects`) is what is stored of a reply or an outcome: ``shape faces[].box`` is
  ``object``. Its *kind* is its first word.
- The *recorder* (`recording`) makes a step through a backend; `running` makes all steps of a run.
- The *twin* is the same backend with the mock's address and keys (`mock_calls`).
- A *comparison* (`differences`) has the values of one aspect at both; it may be a *difference*.

To compare another behaviour, add a `Step` to `_CALLS` or to the vendor's `bad_calls`. Add a test to
`tests/mock_server/parity/test_parity.py` that changes the mock's response.
"""
