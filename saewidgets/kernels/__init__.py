"""The few fast loops, each beside the plain version that proves it."""
