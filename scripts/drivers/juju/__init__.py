"""The parts of the driver juju: the deployed bundle, the Juju client, and the parser of Juju's status."""
