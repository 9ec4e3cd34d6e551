"""What steps need of an OpenStack cloud: its API, a guest image, Tempest's configuration and results."""
