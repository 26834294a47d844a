"""Surveys: the form, what was answered on it, and what the answers score. Pure."""
