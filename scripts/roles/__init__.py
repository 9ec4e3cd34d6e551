"""Roles of applications: a module for each, which configures, starts and checks an application."""
