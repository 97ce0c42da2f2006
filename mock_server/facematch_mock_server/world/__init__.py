"""The state of one server: accounts, their worlds at each vendor, faults, clock and journal.

- A *server* (`Accounts`) has accounts, and what they share: vendors, pictures, the seed.
- An *account* (`Account`) has a clock, faults, latency and a journal, and one world at each vendor.
  A reset replaces the account; an `AccountRef` refers to the current one.
- A *world* (`World`) is an account's state at one vendor: keys, money, rates, sessions, outbox.
- A *claim* is a statement about a vendor; `World.claims` are those that apply (`ActiveClaims`).
- A *fault* (`Fault`) makes calls fail; an *outcome* (`SetOutcome`) sets a score. Both are rules:
  tests add them, and they wait in a queue until a call matches.
- A *session* (`Session`) is a saved call, or a hosted session, in which a person acts (`hosted`).
- A *delivery* (`WebhookDelivery`) is a webhook for one destination; the outbox sends it.
"""
