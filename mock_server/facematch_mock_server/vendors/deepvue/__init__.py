"""The mock of Deepvue."""
