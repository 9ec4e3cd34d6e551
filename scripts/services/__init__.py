"""The services of a deployment, as roles use them."""
