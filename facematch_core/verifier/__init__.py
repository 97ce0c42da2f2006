"""Verifiers, which applications call, and their async versions.

- `verifier`: `Verifier`, the common interface, and `FaceVerifier`, which calls one backend.
- `failover`: `Failover`, which tries several verifiers in order.
- `share`: `Share`, which gives each of several verifiers a percentage of the callers.
- `shadow`: `Shadow`, which also asks a candidate, in the background.
- `members`: what `Failover` and `Share` have in common.
- `aio`: `AsyncFaceVerifier`, which runs the calls of any of them in threads.

- A *runner* (`facematch_core.call.run`) makes the calls of one verifier.
- A *member* is one of the verifiers of a failover or a share. A *route* lists the members that were
  tried.
- A *candidate* is the verifier that a shadow tries; nobody gets its answers. A call is *drawn* if
  the candidate is to be asked about it.
- A *pair* is a probe and a reference in `verify_many`, perhaps with the caller's key. Its *index*
  is its position in the input. A *run* is the state of one `verify_many`.
"""
