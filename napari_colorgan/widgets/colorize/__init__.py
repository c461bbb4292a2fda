"""The dock that colours layers."""
