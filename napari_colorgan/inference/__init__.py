"""A checkpoint applied to arrays."""
