"""Mail to the recipients' own mail servers, without a relay between.

finding      a domain → its mail servers, or why it has none
exchangers   the servers of one domain, tried in order until one takes mail
group        mails for one set of servers, and the connections there
delivery     one call of `send`: which mail goes where, and how many are in hand
backend      the way out
"""
