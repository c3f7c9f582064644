"""Samples, training, evaluation."""
