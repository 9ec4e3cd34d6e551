"""Runs, records and steps."""
