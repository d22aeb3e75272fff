"""The audit chain (办法17 全程留痕): who did what, when, from where, with which result. Beneath the engine, so that every writer can note."""
