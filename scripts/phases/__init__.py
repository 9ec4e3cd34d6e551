"""Phases: the local runner, the watch over upstream, and the retention of runs."""
