"""Processes, files, git, Debian, the environment and errors: what everything else uses."""
