"""The demo: real source packages through the whole lab."""
