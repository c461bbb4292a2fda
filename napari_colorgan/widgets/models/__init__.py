"""The dock that keeps models."""
