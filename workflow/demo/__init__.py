"""The demonstration city: an invented Ningbo as import files or straight in the database, and the errors put into it on purpose."""
