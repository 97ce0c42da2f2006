"""The state of one server: accounts, their worlds at each vendor, faults, clock and journal."""
