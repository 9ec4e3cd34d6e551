"""The search for the change that broke a test or a step."""
