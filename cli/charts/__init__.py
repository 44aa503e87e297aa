"""Charts as they are: rendered, taken apart by service, tried as a release would, and reported on."""
