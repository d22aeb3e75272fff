"""Drills: what the platform promises, proved at full size. Each is a function that returns a finding."""
