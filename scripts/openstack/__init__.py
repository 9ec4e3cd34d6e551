"""OpenStack for steps: its API, a guest image, Tempest's configuration and results."""
