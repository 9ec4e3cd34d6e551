"""What applications are: a module for each role, which configures, starts and asks after one."""
