"""Mail over SMTP: pipelined, persistent, verified; every reply belongs to exactly one message.

replies      bytes from the server → Reply → Outcome
commands     Outgoing → the bytes of its commands and body
target       where to, how secured, how patient
work         one call of `send`: the batch, its watch, what is on the wire
dialogue     which reply is whose, and what to write next (no sockets)
connection   the socket beneath a dialogue
opening      greeting, EHLO, TLS, AUTH
pool         the backend: connections kept over many batches
"""
