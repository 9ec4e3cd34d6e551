"""From lab.yaml to Jenkins jobs."""
