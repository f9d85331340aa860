"""What to do, from what was measured."""
