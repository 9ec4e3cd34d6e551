"""What must not be public, taken out of what is published."""
