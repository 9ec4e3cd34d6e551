"""The driver ssh: nodes are existing machines."""
