"""What other modules may import from here: nothing yet."""
