"""Fetches what strangers' addresses lead to, without ever asking a machine of ours.

`urls` reads an address, `networks` says which machines are the open internet, `wire` asks one machine one
question, `fetcher` puts them together; `rounds` asks for many, politely, and remembers.
"""

from campaigns.delivery.fetching.answers import Answer, Trouble
from campaigns.delivery.fetching.fetcher import Fetcher, Limits
from campaigns.delivery.fetching.rounds import Memory, ask_all

__all__ = ["Answer", "Fetcher", "Limits", "Memory", "Trouble", "ask_all"]
