"""The exercises: a module for each one, which sees a deployment but not the way in which it was created."""
