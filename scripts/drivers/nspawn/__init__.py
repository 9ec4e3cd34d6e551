"""The driver nspawn: nodes are containers on this machine."""
