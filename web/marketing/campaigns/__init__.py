"""The campaigns' pages: the list, the page with its four cards, what is done with a campaign."""

from web.marketing.campaigns import acts, listing, outside, page, parts, preview, review, saving
from web.marketing.campaigns.blueprint import campaigns

__all__ = ["acts", "campaigns", "listing", "outside", "page", "parts", "preview", "review", "saving"]
