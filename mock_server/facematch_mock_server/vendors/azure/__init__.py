"""Azure AI Face, as the mock imitates it."""
