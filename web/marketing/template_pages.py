"""All pages of templates: the list and one's own, what others say of it, and its source as it is tried."""

from web.marketing import template_outside, template_trying
from web.marketing.content import templates

__all__ = ["template_outside", "template_trying", "templates"]
