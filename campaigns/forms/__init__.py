"""Sign-up forms: what one offers and asks, how what was typed is read, and what keeps robots out; pure."""
