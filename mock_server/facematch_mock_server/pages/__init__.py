"""The mock's web pages: the console, and the page on which a tester plays the person."""
