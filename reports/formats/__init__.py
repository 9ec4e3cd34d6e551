"""What tools write, as cases: one module a format.

A format is a module with ``FORMAT``, its name; ``MARK``, what tells it from others (a pattern that is looked for
in the beginning and the end of a file); and ``parse(path) -> Iterable[Case]``, which raises `texts.Unreadable`
and nothing else for what a file may hold.  To add one: write the module, name it in `registry.MODULES`.
"""
