"""The mechanism: engine, calendar, registry, quality, casework, insight, access. Knows neither HTTP nor queues."""
