"""The generator of Jenkins jobs from lab.yaml, and their management on a Jenkins."""
