"""The revisions of the schema, run by ``landit migrate``."""
