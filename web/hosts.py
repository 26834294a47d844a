"""Domains and mail addresses on pages: in their own letters (campaigns/idn.py), and how the DNS has them."""

from flask import Flask
from markupsafe import Markup

from campaigns.idn import told_address, told_domain


def domain(value: str | None) -> Markup:
    """Write a domain; where that is not how the DNS has it, pointing at it tells."""
    return _written(value or "", told_domain(value or ""))


def address(value: str | None) -> Markup:
    """Write a mail address; where its domain is not how the DNS has it, pointing at it tells."""
    return _written(value or "", told_address(value or ""))


def _written(stored: str, told: str) -> Markup:
    title = Markup(' title="{}"').format(stored) if told != stored else ""
    return Markup('<bdi dir="ltr"{}>{}</bdi>').format(title, told)


def install(app: Flask) -> None:
    """Give templates the filters."""
    app.jinja_env.filters.update(domain=domain, address=address, told_address=told_address)
