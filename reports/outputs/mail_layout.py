"""The form of a mail: sections as text and as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class MailSection:
    """A heading with lines, or (``is_code``) with unchanged output."""

    heading: str
    lines: tuple[str, ...]
    is_code: bool = False


def as_text(parts: Sequence[MailSection], links: Sequence[tuple[str, str]]) -> str:
    """Return sections as text, with links (name and URL) at the end."""
    blocks = []
    for part in parts:
        indent = "    " if part.is_code else "  " if part.heading else ""
        blocks.append(
            "\n".join([*([f"{part.heading}:"] if part.heading else []), *(indent + line for line in part.lines)])
        )
    listed = "\n".join(f"{name}: {url}" for name, url in links)
    return "\n\n".join([*blocks, *([listed] if listed else [])]) + "\n"


def as_html(parts: Sequence[MailSection], links: Sequence[tuple[str, str]]) -> str:
    blocks = []
    for part in parts:
        if part.heading:
            blocks.append(f"<h3>{escape(part.heading)}</h3>")
        if part.is_code:
            blocks.append(f"<pre>{escape(chr(10).join(part.lines))}</pre>")
        elif part.heading:
            blocks.append(f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in part.lines)}</ul>")
        else:
            blocks.append(f"<p>{escape(' '.join(part.lines))}</p>")
    if links:
        items = "".join(f'<li><a href="{escape(url)}">{escape(name)}</a></li>' for name, url in links)
        blocks.append(f"<ul>{items}</ul>")
    return f"<!DOCTYPE html><html><body>{''.join(blocks)}</body></html>\n"
