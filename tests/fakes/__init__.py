"""Complete servers that speak the protocols of other platforms, over real HTTP on loopback."""
