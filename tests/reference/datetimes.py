#!/usr/bin/env python3
"""Writes datetimes.tsv: dates as Python's datetime writes them, for tests/engine/table/test_datetime.c.

Columns: microseconds since 1970-01-01 UTC, offset in seconds, format, text.
    python3 datetimes.py > datetimes.tsv
"""
import random
from datetime import datetime, timedelta, timezone

FORMATS = [
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S%z",
    "%d %b %Y",
    "%d/%m/%Y %I:%M %p",
    "%m/%d/%y",
    "%B %d, %Y",
    "%A, %d %B %Y",
    "%a %b %d %H:%M:%S %Y",
    "%Y-%j",
    "%d.%m.%Y %H:%M",
    "%Y%m%d%H%M%S",
    "100%% on %d-%b-%y",
]
EDGES = [
    datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999), datetime(1600, 2, 29), datetime(1700, 2, 28),
    datetime(1900, 3, 1), datetime(1969, 12, 31, 23, 59, 59), datetime(1970, 1, 1), datetime(2000, 2, 29, 12),
    datetime(2038, 1, 19, 3, 14, 8), datetime(2100, 2, 28, 0, 30), datetime(2400, 2, 29),
]


def floor_to_unit(moment, form):
    """What is left of the moment when only the format's units are kept."""
    if "%f" in form:
        return moment
    moment = moment.replace(microsecond=0)
    if "%S" in form:
        return moment
    moment = moment.replace(second=0)
    return moment if "%M" in form else moment.replace(hour=0, minute=0)


def main():
    random.seed(20261122)
    zero = datetime(1600, 1, 1)
    span = int((datetime(2401, 1, 1) - zero).total_seconds())
    moments = EDGES + [
        zero + timedelta(seconds=random.randrange(span), microseconds=random.randrange(10**6)) for _ in range(60)
    ]
    for moment in moments:
        for form in FORMATS:
            if "%y" in form and not 1969 <= moment.year <= 2068:
                continue
            kept = floor_to_unit(moment, form)
            offset = random.choice([0, 7200, -12600, 20700]) if "%z" in form and 1 < moment.year < 9999 else 0
            text = kept.replace(tzinfo=timezone(timedelta(seconds=offset))).strftime(form)
            if "%Y" in form and kept.year < 1000:
                text = text.replace(str(kept.year), "%04d" % kept.year, 1) if form.startswith("%Y") else None
            if text is None:
                continue
            utc_us = (kept - datetime(1970, 1, 1)) // timedelta(microseconds=1) - offset * 10**6
            print(utc_us, offset, form, text, sep="\t")


if __name__ == "__main__":
    main()
