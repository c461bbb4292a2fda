"""The dock that makes a model from pairs."""
