"""Placeholder while this page is being built."""

from pages import frame

frame.heading("Registers", "...")
