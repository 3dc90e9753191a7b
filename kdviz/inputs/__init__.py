"""What a reader hands in, as torch has it: data as batches, and whatever answers as a module."""
