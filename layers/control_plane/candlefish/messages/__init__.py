"""What chats are shown of releases: one message a release that is edited in place, its decisions and questions below it,
and a new one for a rollback.

What they say is drawn from the read model (`candlefish.views`); what stands in which channel is remembered (`record`).
"""
