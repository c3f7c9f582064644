"""Composites from STAC catalogues of Level-2A files (COG): no account needed."""
