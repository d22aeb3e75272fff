"""Cases, steps, timers, outbox: the mechanism that carries out any process table. Knows nothing of staffing."""
