"""What the command line does: set up, open the course, find faults, prepare a class."""
