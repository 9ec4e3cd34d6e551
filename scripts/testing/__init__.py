"""The phase test: packages of the lab against a baseline."""
