"""The marketing desk: campaigns, segments, content, reports, caught mails."""
