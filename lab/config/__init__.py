"""The description of a lab, and how servers are reached."""
