"""The parts of the driver juju: bundles, the client, the status."""
