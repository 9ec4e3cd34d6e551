"""Forges: the servers with proposals (changes, pull requests, merge requests), and their HTTP."""
