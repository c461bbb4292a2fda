"""A checkpoint made, or made better, from colour pictures."""
