"""The mock of Didit."""
