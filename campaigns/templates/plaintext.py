"""Makes the text part of a mail from its HTML, for those who read no HTML and for filters that want both."""

import re
from collections.abc import Callable
from typing import Any

from lxml import etree
from lxml import html as lxml_html

_BLOCKS = frozenset(
    {"address", "article", "aside", "blockquote", "body", "center", "dd", "div", "dl", "dt", "figure"}
)
_BLOCKS |= {"figcaption", "footer", "form", "header", "main", "nav", "section", "fieldset", "legend", "tr"}
_PARAGRAPHS = frozenset({"p", "ul", "ol", "table", "h1", "h2", "h3", "h4", "h5", "h6", "pre"})
_DROPPED = frozenset({"head", "style", "script", "title", "template", "noscript", "input", "svg", "map"})
_SPACE = re.compile(r"[ \t\r\n\f\u200b\ufeff\u034f\u00ad\u200c\u2007]+")
_BOXED = re.compile(r"display\s*:\s*(?:inline-)?block", re.IGNORECASE)
_WIDE = re.compile(r" +[\u00a0 ]+|\u00a0[\u00a0 ]+")
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)

Keep = Callable[[str], str]


def plaintext(html: str, blocks: Keep = lambda _: "") -> str:
    """Write HTML as text: links as "words (address)", lists, headings, tables by rows.

    `blocks` finds, in what is itself dropped (a comment, a hidden element), the words that must stay all the
    same: the masked {% if %} and {% for %}, without which other text would reach the wrong people.
    """
    try:
        tree = lxml_html.document_fromstring(html)
    except etree.ParserError:  # nothing but white space, or half a tag
        return "\n"
    writer = _Writer(blocks)
    writer.element(tree)
    return writer.text()


class _Writer:
    """Collects text with the newlines that its blocks ask for; masked words take no room."""

    def __init__(self, blocks: Keep) -> None:
        self._blocks = blocks
        self._pieces: list[str] = []
        self._newlines = 2  # that stand at the end of what is written
        self._wanted = 0
        self._space = False
        self._lists: list[int | None] = []

    def text(self) -> str:
        return "".join(self._pieces).strip() + "\n"

    def want(self, newlines: int) -> None:
        self._wanted = max(self._wanted, newlines)
        self._space = False

    def word(self, text: str) -> None:
        """Write text, after the newlines or the space that it is owed."""
        self._flush()
        if self._space and self._newlines == 0:
            self._pieces.append(" ")
        self._pieces.append(text)
        self._newlines, self._space = 0, False

    def mark(self, text: str) -> None:
        """Write a masked block, which is no text of its own: the line goes on as if it were not there."""
        if not text:
            return
        self._flush()
        if self._space and self._newlines == 0:
            self._pieces.append(" ")
            self._space = False
        self._pieces.append(text)

    def _flush(self) -> None:
        missing = self._wanted - self._newlines
        if missing > 0 and self._pieces:
            self._pieces.append("\n" * missing)
            self._newlines += missing
        self._wanted = 0

    def run(self, text: str | None) -> None:
        """Write text between tags, its white space made one."""
        if not text:
            return
        words = _WIDE.sub(" ", _SPACE.sub(" ", text))
        self._space = self._space or words.startswith(" ")
        if words.strip():
            self.word(words.strip(" "))
            self._space = words.endswith(" ")

    def element(self, node: Any) -> None:
        """Write an element and what follows it."""
        if node.tag is etree.Comment:
            self.mark(self._blocks(node.text or ""))
        elif not isinstance(node.tag, str):
            pass
        elif (
            node.tag in _DROPPED or _HIDDEN.search(node.get("style") or "") or node.get("hidden") is not None
        ):
            self.mark(self._blocks(etree.tostring(node, encoding="unicode", with_tail=False)))
        else:
            self._visible(node)
        self.run(node.tail)

    def _visible(self, node: Any) -> None:
        match node.tag:
            case "a":
                self._link(node)
            case "img":
                self.run(f" {node.get('alt')} " if node.get("alt") else "")
            case "br":
                self._flush()
                self._wanted = min(2, self._wanted + 1)
                self._space = False
            case "hr":
                self.want(2)
                self.word("-" * 40)
                self.want(2)
            case "li":
                self._entry(node)
            case "tr" if _is_data(node):
                self._row(node)
            case tag:
                self._block(node, tag)

    def _block(self, node: Any, tag: str) -> None:
        margin = 2 if tag in _PARAGRAPHS else 1 if tag in _BLOCKS else 0
        if tag == "table" and _is_layout(node):
            margin = 1
        if tag in {"td", "th"}:
            margin = 2
        if tag in {"ul", "ol"}:
            margin = 1 if self._lists else 2
            self._lists.append(0 if tag == "ol" else None)
        if margin:
            self.want(margin)
        self._children(node)
        if tag in {"ul", "ol"}:
            self._lists.pop()
        if margin:
            self.want(margin)

    def _children(self, node: Any) -> None:
        self.run(node.text)
        for child in node:
            self.element(child)

    def _link(self, node: Any) -> None:
        address = (node.get("href") or "").strip()
        boxed = _BOXED.search(node.get("style") or "") is not None
        if boxed:
            self.want(1)
        start = len(self._pieces)
        self._children(node)
        words = "".join(self._pieces[start:]).strip()
        shown = address.removeprefix("mailto:").removeprefix("tel:")
        if words and shown and not address.startswith("#") and words not in {shown, address}:
            space, self._space = self._space, True
            self.word(f"({shown})")
            self._space = space
        if boxed:
            self.want(1)

    def _entry(self, node: Any) -> None:
        self.want(1)
        depth = max(0, len(self._lists) - 1)
        sign = "*"
        if self._lists and self._lists[-1] is not None:
            self._lists[-1] += 1
            sign = f"{self._lists[-1]}."
        self.word("  " * depth + sign)
        self._space = True
        self._children(node)
        self.want(1)

    def _row(self, node: Any) -> None:
        self.want(1)
        first = True
        for cell in node:
            if cell.tag in {"td", "th"}:
                if not first and (cell.text_content() or "").strip():
                    self.word(" |" if self._newlines == 0 else "")
                    self._space = True
                first = False
                self._children(cell)
                self.run(cell.tail)
            else:
                self.element(cell)
        self.want(1)


def _is_layout(table: Any) -> bool:
    return (table.get("role") or "") in {"presentation", "none"}


def _is_data(row: Any) -> bool:
    """Tell a row of figures from a row that only lays out the page."""
    table = next(row.iterancestors("table"), None)
    if table is None or _is_layout(table):
        return False
    return next(row.iter("table", "p", "div", "h1", "h2", "h3", "ul", "ol"), None) is None
