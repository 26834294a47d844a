"""What customers reach by the addresses in their mails: no login, no cookie, no script."""
