"""The roles of applications: a module for each role, which configures, starts and checks an application."""
