"""Analysis: judging a canary by the windows of metrics of both versions.

`judge` is pure: windows in, a verdict with its evidence out. `judge_windows` reads what every source has and
agrees on one verdict; docs/judge.md says how it decides.
"""
