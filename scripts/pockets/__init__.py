"""The packages of a -proposed pocket: which wait, what goes with them, and which were tested."""
