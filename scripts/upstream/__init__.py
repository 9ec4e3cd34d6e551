"""Upstream projects: commits, versions, tarballs and patches."""
