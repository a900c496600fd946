"""Bodies as functions of space: their exact distance, and fields that learn it."""
