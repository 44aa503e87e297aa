"""What people see: one read model, from which terminal, page, Slack, GitHub and dashboards are drawn.

Nothing here decides or changes anything, and none of those who draw it computes anything of its own.
"""
