"""The delivery room: mails made, sent, caught, and read when they come back."""
