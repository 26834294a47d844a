"""The web door: pages, tracking and webhooks."""
