"""Changes under review: what to test of them, and how they are merged."""
