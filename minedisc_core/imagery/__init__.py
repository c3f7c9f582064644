"""Mosaics, the demo scene, chips and map tiles: everything that reads or draws pixels."""
