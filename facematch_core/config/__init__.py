"""What is installed and set, and opening it."""
