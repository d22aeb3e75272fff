"""The clock, the relay and the jobs: everything that happens without a click. Reads the present at the edge, commits per item."""
