"""What a failover consists of: a step is one row, with its judge and its act beside it."""
