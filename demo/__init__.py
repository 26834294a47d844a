"""A small company played for real: a store to import, a campaign to send, a world that answers, a check of the report."""
