"""Facts about results that several packages need."""
