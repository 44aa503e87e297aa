"""The world that failovers are played in, in parts."""
