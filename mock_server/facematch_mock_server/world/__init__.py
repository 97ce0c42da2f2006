"""The state of one server: accounts, their worlds with each vendor, faults, time, the journal."""
