"""Running the platform: daily jobs, requests for long work, notices, heartbeats. Rows only: the workers do the work, the pages show it."""
