"""The hand-over of a run from the machine that built it to the machine of the archive."""
