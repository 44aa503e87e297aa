"""The same cases against the fake and the real thing."""
