"""The kinds of secrets: tokens by their form, settings by their name, options by their command."""
