"""Where deployments land: the seams, and a module for each driver."""
