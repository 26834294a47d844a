"""The settings: topics, senders and the people of ours who log in."""
