"""What is dear on purpose is cheap in the tests' own process; tests/test_settings.py asserts what the house does, processes that tests start do it."""

from __future__ import annotations

import gc

from argon2 import PasswordHasher

import workflow.db
from workflow.access import accounts, passwords

SHIPPED = {"pragmas": dict(workflow.db.PRAGMAS), "hasher": passwords._hasher}

workflow.db.PRAGMAS["synchronous"] = "OFF"  # the disk need not hold a row before the next is written
passwords._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
accounts._unknown = passwords.hash_password("nobody")
gc.set_threshold(100_000, 20, 20)  # definitions and mappers are many and stay
