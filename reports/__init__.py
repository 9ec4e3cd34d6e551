"""What a run left, as people and machines want to read it."""
