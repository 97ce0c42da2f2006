"""Find installed backends, read settings, and open verifiers and sessions.

- An *entry point* claims a backend's name for a *distribution*, an installed package (`plugins`).
- A *setting* is an argument of a backend's class. A *profile* is a named table of the configuration
  file: a backend with its settings, policies and verifier's arguments, or the members of a
  failover or share.
- To *resolve* settings is to choose, for each one, its value and its *origin*: argument, file,
  environment variable or default (`settings`).
- A *setup* is a resolved verifier, failover or share that is not open yet (`opening`).
"""
