"""What `/choose` and `/reward` cost, beside a no-op under the same server."""
