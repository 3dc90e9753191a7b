"""The course: its map, its experiments and long results, its exercises, and its static edition."""
