"""How views look in a terminal: `(view, width, height, now, zone) -> lines`, pure; and the screen that shows them."""
