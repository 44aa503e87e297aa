"""The real code in every order in which it can run: docs/exploration.md."""
