"""Read pictures, fit them to a vendor's limits, and remove their metadata."""
