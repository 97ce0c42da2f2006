"""The mock of Azure AI Face."""
