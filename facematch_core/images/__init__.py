"""Reading pictures, fitting them to a vendor's limits, and removing their metadata."""
