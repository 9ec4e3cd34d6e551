"""Bare machines: their power, and who has them."""
