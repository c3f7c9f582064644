"""Set-up: the virtual environment, the map's scripts, a browser for the tests, and the app's start.

`install`, `vendor` and `browser` run before anything is installed, so they use the standard library only.
"""
