"""Backup and restore (办法18): chains of full and incremental copies, the log of committed pages between them, archives for good."""
