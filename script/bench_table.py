"""Prints the figures of script/bench as one table.

    bench_table.py FOLDER

Each .json in FOLDER is one document, or one a line. Objects that have a "name" (or a "what") are a line
of the table each; others are flattened to one line a figure.
"""
import json
import os
import sys

NAMES = ("name", "what", "op", "bench")


def documents(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    try:
        return [json.loads(text)]
    except ValueError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]


def shown(value):
    return f"{value:,.4g}" if isinstance(value, float) and abs(value) < 1e4 else f"{value:,}" if isinstance(
        value, (int, float)) and not isinstance(value, bool) else str(value)


def is_plain(value):
    return not isinstance(value, (dict, list))


def rows(value, path):
    """(name, figures) of everything in a document."""
    if isinstance(value, list):
        for i, item in enumerate(value):
            yield from rows(item, path if isinstance(item, dict) and any(key in item for key in NAMES) else f"{path}[{i}]")
    elif isinstance(value, dict):
        own = next((str(value[key]) for key in NAMES if key in value), None)
        name = f"{path} {own}" if own else path
        plain = {key: item for key, item in value.items() if is_plain(item) and key not in NAMES}
        if plain:
            yield name, "  ".join(f"{key} {shown(item)}" for key, item in plain.items())
        for key, item in value.items():
            if not is_plain(item):
                yield from rows(item, f"{name} {key}")
    else:
        yield path, shown(value)


def main(folder):
    table = []
    for file in sorted(os.listdir(folder)):
        if file.endswith(".json"):
            for document in documents(os.path.join(folder, file)):
                table += rows(document, file[:-5].removeprefix("bench_"))
    if not table:
        print("nothing was measured")
        return
    width = max(len(name) for name, _ in table)
    for name, figures in table:
        print(f"{name:<{width}}  {figures}")


if __name__ == "__main__":
    main(sys.argv[1])
