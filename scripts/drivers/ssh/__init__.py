"""The driver ssh: nodes are machines that exist."""
