"""What one server knows: accounts, what each has with a vendor, faults, time, the journal."""
