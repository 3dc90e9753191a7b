"""Self-distillation: a network is taught by itself: as it was before, from within, or on another image."""
