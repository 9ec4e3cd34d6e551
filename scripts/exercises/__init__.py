"""Exercises: a module for each, which sees a deployment and nothing of how it was made."""
