"""What people see of the mock: the console, and the page on which somebody plays the person."""
