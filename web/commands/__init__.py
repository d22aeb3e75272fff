"""The commands of `sandeng`, one module a subject."""
