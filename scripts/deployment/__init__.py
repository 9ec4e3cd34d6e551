"""The deployment engine: from lab.yaml to running applications on nodes."""
