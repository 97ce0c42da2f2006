"""The mock of Onfido Studio."""
