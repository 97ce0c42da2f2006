"""Batches of calls: each is recorded before it is sent, and none is paid for twice."""
