"""Building blocks that several city modules share."""
