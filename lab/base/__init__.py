"""The base of all packages: processes, files, git, Debian, the environment and errors."""
