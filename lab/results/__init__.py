"""Knowledge about results that two rooms need: each fact has one home here."""
