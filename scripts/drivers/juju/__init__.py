"""The parts of the driver juju: what it deploys, how it speaks to Juju, what Juju says."""
