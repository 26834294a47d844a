"""Postroom: marketing automation and campaign engine with email delivery."""
