"""Puts the rules of pasted HTML's style sheets onto its elements, for mail clients that read no sheets."""

import logging
import re

from campaigns.values import Problem

#: A fragment is made a page first: the HTML reader drops a comment that stands before everything.
_PAGE = re.compile(r"<(?:html|head|body)\b", re.IGNORECASE)


def inline_css(html: str) -> tuple[str, tuple[Problem, ...]]:
    """Inline by premailer, on masked source only: no network, no file, @media and Outlook's comments kept."""
    from lxml.etree import LxmlError
    from premailer import Premailer

    if not _PAGE.search(html):
        html = f"<html><head></head><body>{html}</body></html>"
    try:
        inlined = Premailer(
            html,
            keep_style_tags=True,
            strip_important=False,
            remove_classes=False,
            disable_validation=True,
            disable_link_rewrites=True,
            allow_network=False,
            allow_insecure_ssl=False,
            allow_loading_external_files=False,
            cssutils_logging_level=logging.CRITICAL,
        ).transform()
    except (LxmlError, ValueError, KeyError, AttributeError, IndexError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        return "", (
            Problem(
                "body", f"the HTML or its CSS cannot be read: {reason}.", "Correct it, or simplify its CSS."
            ),
        )
    return str(inlined), ()
