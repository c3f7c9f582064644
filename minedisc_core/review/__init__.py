"""Queue order, verdicts, undo."""
