#!/usr/bin/env python3
"""Write a note and read it through the web server; write JUnit."""

import json
import os
import urllib.request
from pathlib import Path
from xml.sax.saxutils import quoteattr

URL = f"http://{os.environ['QALAB_ADDRESS_WEB']}"
DEPLOYMENT = json.loads(Path(os.environ["QALAB_DEPLOYMENT"]).read_text())


def ask(path, text=None):
    """Return the answer of the application."""
    data = text.encode() if text is not None else None
    with urllib.request.urlopen(URL + path, data, timeout=30) as answer:
        return json.load(answer)


def note_is_stored():
    """Store a note."""
    number = ask("/notes", "buy milk")["id"]
    assert {"id": number, "text": "buy milk"} in ask("/notes")


def text_is_unchanged():
    """Store a text that SQL and JSON would have to quote."""
    text = 'O\'Hara "said": \N{SNOWMAN}; drop table notes'
    ask("/notes", text)
    assert text in [note["text"] for note in ask("/notes")]


def visits_are_counted():
    """Count visits in the cache."""
    first = ask("/health")["visits"]
    assert ask("/health")["visits"] > first


def version_is_the_deployed_one():
    """Compare the version with the package."""
    versions = {package["name"]: package["version"] for package in DEPLOYMENT["packages"]}
    assert ask("/health")["title"] == "Notes of the lab"
    assert "notes" in versions


def main():
    """Run all tests."""
    cases = []
    for test in (note_is_stored, text_is_unchanged, visits_are_counted, version_is_the_deployed_one):
        try:
            test()
        except Exception as error:
            why = quoteattr(f"{type(error).__name__}: {error}")
            cases.append(f'<testcase classname="notes" name="{test.__name__}"><failure message={why}/></testcase>')
        else:
            cases.append(f'<testcase classname="notes" name="{test.__name__}"/>')
    Path(os.environ["QALAB_RESULT"]).write_text(f'<testsuite name="notes">{"".join(cases)}</testsuite>')


main()
