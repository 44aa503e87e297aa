"""The catalog: what runs where."""
