"""Rules → SQL, the daily check, findings, lights, red rounds and the negative list."""
