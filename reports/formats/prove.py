"""The output of ``prove -v``: the TAP of each file below a heading, ``t/name.t .. ``, and prove's result at the end."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reports.formats.tap_lines import TAP

DOTS = " .."  # in each heading
HEADING = re.compile(r"(?:\[[\d:]{8}\] )?([^\s#].*?) \.{2,} *")
SKIPPED = re.compile(r"((?:\[[\d:]{8}\] )?[^\s#].*? \.{2,}) skipped(?:: (.*))?")
# The result of a good file, below its TAP: it is no test.  What follows it is another file, or the end.
GOOD = re.compile(r"ok(?:[ \t]+\d+(?:\.\d+)? m?s\b.*)?[ \t]*")
END = re.compile(r"\[[\d:]{8}\]\s*|All tests successful\.|Test Summary Report|Files=\d.*")
DUBIOUS = re.compile(r"^Dubious, test returned .*", re.MULTILINE)
# On standard error, after the tests: a script that died, or exited with another status.
BUILDER = re.compile(r"^# (Looks like your test (?:exited with|died)\b.*)", re.MULTILINE)
HEADED = re.compile(r"\.\. $", re.MULTILINE)
ENDED = re.compile(r"^(?:Result: PASS|(?:\[[\d:]{8}\]\s*)?All tests successful\b)", re.MULTILINE)
RESULT = re.compile(r"^Result: (?!PASS\b).*", re.MULTILINE)


def documents(text: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each document; for text that is not from prove, one document without a name.

    The text is from prove if a heading comes before any line of TAP.  prove pads its headings to one width; a line of
    another width that ends in dots is a heading only if it names a file ``.t``.
    """
    if DOTS not in text:
        yield "", text
        return
    name, body, width = "", list[str](), 0
    began = False
    for line in text.split("\n"):
        is_tap = any(pattern.fullmatch(line) for pattern in TAP)
        began = began or is_tap
        skipped = SKIPPED.fullmatch(line)
        line = skipped[1] if skipped else line  # noqa: PLW2901
        match = None if is_tap or (began and not width) else HEADING.fullmatch(line)
        if match and (not width or len(line.rstrip()) == width or match[1].endswith(".t")):
            if width:
                yield name, _without_result(body)
            name, width = match[1], width or len(line.rstrip())
            body = [f"1..0 # SKIP {skipped[2] or ''}"] if skipped else []
        else:
            body.append(line)
    yield name, _without_result(body) if width else "\n".join(body)


def _without_result(lines: list[str]) -> str:
    """Return the text of a file without prove's ``ok``, which only blank lines or the end of prove's output follow."""
    at = next((at for at in reversed(range(len(lines))) if GOOD.fullmatch(lines[at])), len(lines))
    following = next((line for line in lines[at + 1 :] if line.strip()), "")
    if not following or END.fullmatch(following):
        del lines[at : at + 1]
    return "\n".join(lines)


def complaint(text: str) -> str:
    """Return prove's complaint about a test file, "" without one."""
    return match[0] if (match := DUBIOUS.search(text)) else ""


def verdict(text: str) -> str:
    """Return prove's result if it is not PASS, or that there is none, else "".

    Before 3.0 a good one had no such line.  openQA wants one document with a heading, which has no blank at its end.
    """
    if match := RESULT.search(text):
        return match[0]
    names = [name for name, _ in documents(text)]
    is_of_prove = len(names) > 1 or HEADED.search(text)
    return (
        ""
        if not is_of_prove or ENDED.search(text)
        else "there is no result of prove: it did not end, or the file is cut short"
    )


def fault(text: str) -> tuple[str, str]:
    """Return a name and a message for what fails a document whose tests are all good; "" for nothing."""
    if next(documents(text))[0] and (message := verdict(text)):
        return "[prove]", message
    return ("[exit]", match[1]) if (match := BUILDER.search(text)) else ("", "")
