"""The wheel in an empty environment: what it weighs, and that its commands work and how soon (`python -m tools.wheel`)."""
