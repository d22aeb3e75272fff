"""Peers on the same database and the same rules; run by the interpreter of an environment of their own, prints one JSON object.

`python peers.py PEER DATABASE`: PEER great_expectations, pandera or dataframely; DATABASE a SQLite file or a postgresql:// address.
Seconds are counted from opening the database to the failing keys of every rule in hand.
"""

from __future__ import annotations

import json
import resource
import sys
import time

from peer_rules import PERSON_RULES

COLUMNS = sorted(
    {"person_code"} | {r["column"] for r in PERSON_RULES} | {r["other"] for r in PERSON_RULES if "other" in r}
)
KEY = "person_code"


def great_expectations(address: str) -> dict[int, int]:
    """Expectations on a SQL data source with complete results; it gives at most twenty keys per rule, and counts the rest."""
    import great_expectations as gx
    import great_expectations.expectations as gxe

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    url = address.replace("postgresql://", "postgresql+psycopg2://") if "://" in address else f"sqlite:///{address}"
    source = (context.data_sources.add_postgres if "://" in address else context.data_sources.add_sqlite)(
        "city", connection_string=url
    )
    batch = source.add_table_asset("person", table_name="person").add_batch_definition_whole_table("all")
    suite = context.suites.add(gx.ExpectationSuite("rules"))
    for i, rule in enumerate(PERSON_RULES):
        suite.add_expectation(_expectation(gxe, rule, {"place": i}))
    wanted = {
        "result_format": "COMPLETE",
        "unexpected_index_column_names": [KEY],
        "return_unexpected_index_query": False,
    }
    definition = context.validation_definitions.add(gx.ValidationDefinition(name="people", data=batch, suite=suite))
    results = definition.run(result_format=wanted).results
    return {one.expectation_config.meta["place"]: one.result["unexpected_count"] for one in results}


def _expectation(gxe, rule, meta):
    column = rule["column"]
    match rule["kind"]:
        case "not_null":
            return gxe.ExpectColumnValuesToNotBeNull(column=column, meta=meta)
        case "in":
            return gxe.ExpectColumnValuesToBeInSet(column=column, value_set=rule["values"], meta=meta)
        case "between":
            return gxe.ExpectColumnValuesToBeBetween(
                column=column, min_value=rule["low"], max_value=rule["high"], meta=meta
            )
        case "length":
            return gxe.ExpectColumnValueLengthsToBeBetween(
                column=column, min_value=rule["low"], max_value=rule["high"], meta=meta
            )
        case "at_least":
            return gxe.ExpectColumnPairValuesAToBeGreaterThanB(
                column_A=column,
                column_B=rule["other"],
                or_equal=True,
                ignore_row_if="either_value_is_missing",
                meta=meta,
            )
    return gxe.ExpectColumnValuesToBeUnique(column=column, meta=meta)


def pandera(address: str) -> dict[int, int]:
    """A lazy schema over a Polars frame; the failure cases name the rows."""
    import pandera.polars as pa
    import polars as pl
    from pandera.errors import SchemaErrors

    frame = _frame(pl, address)
    checks = [pa.Check(_holds(pl, rule), name=str(i)) for i, rule in enumerate(PERSON_RULES)]
    counted = dict.fromkeys(range(len(PERSON_RULES)), 0)
    try:
        pa.DataFrameSchema(checks=checks).validate(frame, lazy=True)
    except SchemaErrors as found:
        for row in found.failure_cases.group_by("check").len().iter_rows():
            counted[int(row[0])] = row[1]
    return counted


def _holds(pl, rule):
    return lambda data: data.lazyframe.select(_test(pl, rule).fill_null(True))


def _test(pl, rule):
    column = pl.col(rule["column"])
    match rule["kind"]:
        case "not_null":
            return column.is_not_null()
        case "in":
            return column.is_in(rule["values"])
        case "between":
            return column.is_between(rule["low"], rule["high"])
        case "length":
            return column.str.len_chars().is_between(rule["low"], rule["high"])
        case "at_least":
            return column >= pl.col(rule["other"])
    return column.is_unique()


def dataframely(address: str) -> dict[int, int]:
    """A schema with one rule each; the invalid rows are taken out with the rules that they break."""
    import dataframely as dy
    import polars as pl

    frame = _frame(pl, address)
    body = {name: dy.Any() for name in COLUMNS}
    for i, rule in enumerate(PERSON_RULES):
        body[f"rule_{i}"] = dy.rule()(_judging(pl, rule))
    _, failed = type("People", (dy.Schema,), body).filter(frame)
    counts = failed.counts()
    failed.invalid()
    return {i: counts.get(f"rule_{i}", 0) for i in range(len(PERSON_RULES))}


def _judging(pl, rule):
    return lambda cls: _test(pl, rule).fill_null(True)


def _frame(pl, address: str):
    """The columns that the rules read, of the people who are not removed."""
    sql = f"SELECT {', '.join(COLUMNS)} FROM person WHERE removed_on IS NULL"
    return pl.read_database_uri(sql, address if "://" in address else f"sqlite://{address}", engine="connectorx")


def main(peer: str, address: str) -> None:
    """Time one peer, the imports not counted."""
    for module in {"great_expectations": ["great_expectations"], "pandera": ["pandera.polars", "polars"]}.get(
        peer, ["dataframely", "polars"]
    ):
        __import__(module)
    began = time.perf_counter()
    counts = {"great_expectations": great_expectations, "pandera": pandera, "dataframely": dataframely}[peer](address)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak": peak, "counts": counts}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
