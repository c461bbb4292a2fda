"""Weights at rest."""
