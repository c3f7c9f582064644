"""CSV, KML, KMZ, GeoPackage, GeoParquet."""

from minedisc_core.exports.export import FORMATS, Exported, ExportResult, export, exported
from minedisc_core.exports.rows import CAUTION, COLUMNS, REGISTER_TEXTS

__all__ = ["CAUTION", "COLUMNS", "FORMATS", "REGISTER_TEXTS", "ExportResult", "Exported", "export", "exported"]
