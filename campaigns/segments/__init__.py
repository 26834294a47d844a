"""Segments: the rule language, its sentence in English, and its way into SQL."""
