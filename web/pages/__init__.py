"""The pages: one blueprint `bp` a subject; found and registered by name."""
