"""The driver qemu: nodes are virtual machines on this machine."""
