"""What failovers need of the world, in memory."""
