"""Migration: the largest part of a candidate set that can replace a target without breaking an installation."""
