"""What is exercised: a module for each exercise, which sees a deployment and nothing of how it was made."""
