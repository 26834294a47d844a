"""One file a product verb; flows join records and rooms, and do not call each other."""
