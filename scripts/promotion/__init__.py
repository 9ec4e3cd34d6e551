"""The automatic promotion of a label: candidates, the search for culprits, rounds that go on after a kill."""
