"""The page: sections, tables, pictures and a table of contents, in one HTML file."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from experiments.statistics.tables import html_text

PALETTE = """
:root { color-scheme: light dark; --text: #1c1d1f; --back: #fbfbfa; --soft: #63666b;
  --line: #d9dadd; --card: #ffffff; --link: #0a58a6; --good: #146c2e; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e5e7; --back: #17181a; --soft: #a3a7ad;
  --line: #3a3c40; --card: #1f2123; --link: #7db8f0; --good: #7fcf95; --bad: #f2857d; } }
"""
CSS = (
    PALETTE
    + """
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.2rem 1rem 4rem; max-width: 100rem; color: var(--text);
  background: var(--back); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .4rem 0 .6rem; }
h2 { font-size: 1.35rem; margin: 2.6rem 0 .6rem; padding-top: .6rem;
  border-top: 2px solid var(--line); }
h3 { font-size: 1.08rem; margin: 1.8rem 0 .4rem; }
p, ul, ol { max-width: 44rem; }
a { color: var(--link); }
nav ol { padding-left: 1.3rem; margin: .2rem 0; }
.soft, figcaption, .note { color: var(--soft); font-size: .88rem; }
.scroll { overflow-x: auto; margin: .6rem 0; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding-bottom: .3rem; }
th, td { padding: .28rem .7rem .28rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
th { font-weight: 600; } th, td { white-space: nowrap; }
.prose th, .prose td { white-space: normal; min-width: 9rem; max-width: 30rem; }
.good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; }
pre { overflow-x: auto; padding: .8rem; border: 1px solid var(--line); border-radius: 6px;
  background: var(--card); font-size: .82rem; line-height: 1.4; }
.figures { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(19rem, 1fr)); }
figure { margin: 0; }
.plot { background: #ffffff; border: 1px solid var(--line); border-radius: 6px; padding: .4rem; }
.plot svg { display: block; width: 100%; height: auto; max-width: 30rem; margin: 0 auto; }
.wide { grid-column: 1 / -1; } .wide svg { max-width: 62rem; }
.strip td, .strip th { padding: .2rem .5rem .2rem 0; border: 0; font-size: .76rem;
  line-height: 1.25; }
.strip th[scope=row] { position: sticky; left: 0; background: var(--back); }
.strip td[colspan] { white-space: normal; }
.strip img { display: block; width: 9.5rem; max-width: none; height: auto; border-radius: 3px; }
.key { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; font-size: .92rem; }
.key dt { color: var(--soft); } .key dd { margin: 0; overflow-wrap: anywhere; }
@media print { body { max-width: none; } h2 { break-before: page; }
  figure { break-inside: avoid; } }
"""
)


@dataclass
class Section:
    """A part of the page.

    Attributes:
        anchor: Its id.
        title: Its heading.
        body: HTML below the heading.
        parts: Parts of its own, one level down.
    """

    anchor: str
    title: str
    body: list[str] = field(default_factory=list)
    parts: list[Section] = field(default_factory=list)


def paragraph(value: str, css: str = "") -> str:
    """A paragraph of plain text."""
    kind = f' class="{css}"' if css else ""
    return f"<p{kind}>{html_text(value)}</p>"


def pairs(items: Sequence[tuple[str, str]]) -> str:
    """Names and values."""
    return '<dl class="key">' + "".join(
        f"<dt>{html_text(name)}</dt><dd>{html_text(value)}</dd>" for name, value in items
    ) + "</dl>"  # fmt: skip


def inline_svg(svg: bytes, prefix: str, label: str) -> str:
    """A drawing as part of the page: ids made its own, size left to the page.

    Args:
        svg: What matplotlib wrote.
        prefix: Put before every id, so that no two drawings share one.
        label: What it shows, for those who cannot see it.
    """
    drawing = svg.decode()
    drawing = drawing[drawing.index("<svg") :]
    drawing = re.sub(r"<metadata>.*?</metadata>", "", drawing, flags=re.S)
    drawing = re.sub(r'\bid="', f'id="{prefix}-', drawing)
    drawing = re.sub(r'((?:xlink:)?href=)"#', rf'\1"#{prefix}-', drawing)
    drawing = drawing.replace("url(#", f"url(#{prefix}-")
    head, rest = drawing.split(">", 1)
    head = re.sub(r'\s(?:width|height)="[^"]*"', "", head)
    head = re.sub(r'\sxmlns(?::\w+)?="[^"]*"', "", head)  # HTML knows the name spaces
    return f'{head} role="img" aria-label="{html_text(label)}">{rest}'


def png_image(data: bytes, label: str) -> str:
    """A picture inside the page."""
    code = base64.b64encode(data).decode()
    return f'<img src="data:image/png;base64,{code}" alt="{html_text(label)}">'


def plot(svg: bytes, prefix: str, caption: str, links: str = "", wide: bool = False) -> str:
    """A drawing with its caption, in a column of the page or over all of it."""
    drawing = inline_svg(svg, prefix, caption)
    return (
        f'<figure{" class=wide" if wide else ""}><div class="plot">{drawing}</div>'
        f"<figcaption>{html_text(caption)}{links}</figcaption></figure>"
    )


def _contents(sections: Sequence[Section]) -> str:
    items = "".join(
        f'<li><a href="#{part.anchor}">{html_text(part.title)}</a>{_contents(part.parts)}</li>'
        for part in sections
    )
    return f"<ol>{items}</ol>" if items else ""


def _section(part: Section, level: int) -> str:
    inner = "".join(_section(below, level + 1) for below in part.parts)
    return (
        f'<section><h{level} id="{part.anchor}">{html_text(part.title)}</h{level}>'
        f"{''.join(part.body)}{inner}</section>\n"
    )


def page(title: str, lead: Sequence[str], sections: Sequence[Section]) -> str:
    """The whole page; it refers to nothing outside itself.

    Args:
        title: Its heading.
        lead: HTML before the table of contents.
        sections: Its parts.
    """
    body = "".join(_section(part, 2) for part in sections)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html_text(title)}</title><style>{CSS}</style></head>\n<body>"
        f"<header><h1>{html_text(title)}</h1>{''.join(lead)}</header>"
        f'<nav aria-label="Contents"><h3>Contents</h3>{_contents(sections)}</nav>\n'
        f"<main>{body}</main></body></html>\n"
    )
