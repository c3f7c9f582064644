"""Composites made by Google Earth Engine, with an account of the person who runs it; only this room imports `ee`."""

from minedisc_core.imagery.earth_engine.sign_in import what_is_missing

__all__ = ["what_is_missing"]
