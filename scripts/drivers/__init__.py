"""The drivers: one folder for each kind of target, and the interface that they satisfy."""
