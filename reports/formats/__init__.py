"""Readers of native results: one module for each format.

A format is a module with ``FORMAT``, its name; ``MARK``, whose ``search`` recognises it at the beginning or the end of a
file; and ``parse(path) -> Iterable[Case]``, which raises only `excerpts.Unreadable`, whatever the file contains.  To
add a format, write the module, and add it to `registry.MODULES`.
"""
