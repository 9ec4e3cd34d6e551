"""The deployment engine: from lab.yaml to applications that run on nodes."""
