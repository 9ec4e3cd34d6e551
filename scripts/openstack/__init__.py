"""OpenStack support for steps: the cloud's API, a guest image, Tempest's configuration and results."""
