"""The only room that knows DuckDB: migrations, events, queries."""
