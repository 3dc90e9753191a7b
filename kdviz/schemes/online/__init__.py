"""Online distillation: students that learn at the same time are teachers of each other."""
