"""What all of qalab stands on: base < config < store < results."""

__version__ = "0.2.0"
