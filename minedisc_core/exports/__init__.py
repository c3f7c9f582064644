"""CSV, KML, KMZ, GeoPackage, GeoParquet."""
