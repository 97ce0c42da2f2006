"""The mock's web pages: the console, and the page where a tester plays the person."""
