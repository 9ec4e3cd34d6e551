"""The ground: the typed lab description, the one door to programs, records, runs and errors."""
