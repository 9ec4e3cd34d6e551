"""This machine: the prerequisites of the lab."""
