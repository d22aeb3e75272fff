"""Working days, calendar months and the derivation of every deadline; knows nothing of staffing."""
