"""Pieces of a page. Whatever is handed in as text is escaped; only `Raw` stands as it is.

A page asks nothing of any host and runs no script: its content policy allows neither, so no name in a store can.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import Final, TypeAlias


class Raw(str):
    """Markup that this package made; it is not escaped again."""

    __slots__ = ()


LONG: Final = 40
"""Letters of a table's cell beyond which it may be broken into lines."""
Content: TypeAlias = "str | Raw"


def text(value: object) -> Raw:
    """A value as page text; `Raw` as it is."""
    return value if isinstance(value, Raw) else Raw(escape(str(value), quote=True))


def tag(name: str, *inside: object, **attributes: object) -> Raw:
    """An element. ``class_`` and ``data_x`` stand for class and data-x; attributes that are None are left out."""
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value), quote=True)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Raw(f"<{name}{told}>{''.join(text(part) for part in inside)}</{name}>")


def joined(parts: Iterable[object]) -> Raw:
    """Pieces one after another."""
    return Raw("\n".join(text(part) for part in parts))


def paragraph(*inside: object, **attributes: object) -> Raw:
    """A paragraph."""
    return tag("p", *inside, **attributes)


def facts(pairs: Iterable[tuple[str, object]]) -> Raw:
    """Names and values, one below another."""
    return tag("dl", *(Raw(tag("dt", name) + tag("dd", value)) for name, value in pairs))


def table(
    caption: object,
    header: Sequence[object],
    rows: Iterable[Sequence[object]],
    *,
    numbers: Iterable[int] = (),
    classes: Sequence[str] = (),
) -> Raw:
    """A table whose first cell of a row names the row.

    Parameters
    ----------
    caption : str
    header : sequence
    rows : iterable of sequences
        A row of a single cell is a heading over the rows below it.
    numbers : iterable of int
        Columns that stand to the right.
    classes : sequence of str
        A class a row; shorter, or empty, for none.
    """
    right = set(numbers)

    def cell(at: int, value: object) -> Raw:
        side = "n" if at in right else "w" if len(str(value)) > LONG else None
        return tag("td", value, class_=side) if at else tag("th", value, scope="row", class_=side)

    def row(number: int, cells: Sequence[object]) -> Raw:
        named = (classes[number] if number < len(classes) else "") or None
        if len(cells) == 1:
            return tag("tr", tag("th", cells[0], scope="rowgroup", colspan=len(header)), class_="group")
        return tag("tr", *(cell(at, value) for at, value in enumerate(cells)), class_=named)

    head = tag(
        "tr", *(tag("th", name, scope="col", class_="n" if at in right else None) for at, name in enumerate(header))
    )
    body = tag("tbody", *(row(number, cells) for number, cells in enumerate(rows)))
    whole = tag("table", tag("caption", caption), tag("thead", head), body)
    return tag("div", whole, class_="wide", tabindex=0, role="region", aria_label=_plain(caption))


def figure(picture: Raw, caption: object, numbers: Raw | None = None) -> Raw:
    """A picture with what it shows, and its numbers as a table to unfold."""
    more = tag("details", tag("summary", "the numbers"), numbers) if numbers else ""
    return tag("figure", picture, tag("figcaption", caption), more)


def figures(*some: Raw) -> Raw:
    """Figures side by side where there is room."""
    return tag("div", *some, class_="figures")


def heat(
    caption: object,
    corner: str,
    names: Sequence[str],
    cells: Sequence[Sequence[tuple[float, str, str]]],
    *,
    columns: Sequence[str] = (),
) -> Raw:
    """A table of shades.

    Parameters
    ----------
    corner : str
        What rows and columns are.
    names : sequence of str
        Of rows, and of columns where these are not given.
    cells : rows of (share in 0 … 1, text, title)
    columns : sequence of str
    """
    across = [tag("th", _abbreviated(one), scope="col") for one in columns or names]
    head = tag("tr", tag("th", corner, scope="col"), *across)

    def shade(share: float, said: str, title: str) -> Raw:
        return tag("td", said, style=f"--p:{share:.3f}", title=title)

    body = [
        tag("tr", tag("th", name, scope="row"), *(shade(*cell) for cell in row))
        for name, row in zip(names, cells, strict=True)
    ]
    return tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *body), class_="heat")


def _abbreviated(name: str) -> Raw:
    return tag("abbr", name[:3], title=name)


def _plain(value: object) -> str:
    """Text without markup, for labels."""
    if not isinstance(value, Raw):
        return str(value)
    from html import unescape
    from re import sub

    return unescape(sub(r"<[^>]*>", "", value))


@cache
def style(name: str = "style") -> str:
    """A style sheet: "style" of the page, "figures" of colours and drawings."""
    return files("ravdess.report").joinpath(f"{name}.css").read_text(encoding="utf-8")


def page(
    title: str, lead: Raw, sections: Sequence[tuple[str, str, Raw]], *, foot: object = "", refresh: int = 0
) -> str:
    """A whole page.

    Parameters
    ----------
    title : str
    lead : Raw
        What stands under the title.
    sections : sequence of (anchor, heading, content)
    foot : str or Raw
    refresh : int >= 0
        Seconds after which the page is read again; 0: never.
    """
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    links = tag("ul", *(tag("li", tag("a", heading, href=f"#{anchor}")) for anchor, heading, _ in sections))
    head = [
        Raw('<meta charset="utf-8">'),
        Raw('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Raw(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        *([Raw(f'<meta http-equiv="refresh" content="{refresh:d}">')] if refresh else []),
        tag("title", title),
        Raw(f"<style>\n{style('figures')}{style()}</style>"),
    ]
    body = [
        tag("a", "to the content", class_="skip", href="#content"),
        tag("header", tag("h1", title), lead, tag("nav", links, aria_label="sections") if len(sections) > 1 else ""),
        tag("main", *(_section(*one) for one in sections), id="content"),
        tag("footer", foot) if foot else "",
    ]
    whole = f"<head>\n{joined(head)}\n</head>\n<body>\n{joined(body)}\n</body>"
    return f'<!doctype html>\n<html lang="en">\n{whole}\n</html>\n'


def _section(anchor: str, heading: str, content: Raw) -> Raw:
    named = f"{anchor}-title"
    return Raw(tag("section", tag("h2", heading, id=named), content, id=anchor, aria_labelledby=named) + "\n")
