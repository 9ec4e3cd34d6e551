"""The removal of everything private from published builds."""
