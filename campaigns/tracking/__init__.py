"""Tracking: signed tokens, numbered links and the pixel, and the verdict on each hit. Pure."""
