#!/usr/bin/env python3
"""Makes what tests/data holds the C code against, with nothing but Python's standard library:

  shuffle_table.txt   random.seed(SEED); random.shuffle(list(range(N)))
  shipped_table.txt   labels, filter, shuffle and split of configs/demo/v3like.jsonl

Run it in any folder after changing a case; the output is committed. Hashes are FNV-1a (64 bits)
over the numbers as 8 bytes each, lowest first, or over the labels' UTF-8 with a newline after each.
"""
import json
import pathlib
import random
from collections import Counter

HERE = pathlib.Path(__file__).resolve().parent
DEMO = HERE.parent.parent / "configs" / "demo" / "v3like.jsonl"
SIZES = [0, 1, 2, 3, 7, 10, 100, 623, 625, 2187, 5000, 65536, 65537]
SEEDS = [0, 1, 42, -42, 2**31, 2**32 - 1, 2**32, 2**32 + 42, 2**63 - 1, -(2**63)]
SHOWN = 8


def fnv(data):
    h = 0xCBF29CE484222325
    for byte in data:
        h = (h ^ byte) * 0x100000001B3 % 2**64
    return h


def hash_of(numbers):
    return fnv(b"".join(n.to_bytes(8, "little") for n in numbers))


def shuffled(seed, numbers):
    numbers = list(numbers)
    random.seed(seed)
    random.shuffle(numbers)
    return numbers


def shuffle_table():
    yield "# seed n hash count, and the first `count` entries"
    for seed in SEEDS:
        for n in SIZES:
            order = shuffled(seed, range(n))
            yield " ".join(map(str, [seed, n, hash_of(order), min(n, SHOWN), *order[:SHOWN]]))


def shipped_table():
    rows = [json.loads(line)["emoji_string"].split() for line in DEMO.open(encoding="utf-8")]
    counts = Counter(label for labels in rows for label in labels).most_common()
    names = [label for label, _ in counts]
    yield "# labels: distinct, occurrences, hash of the names in order, hash of the counts in order"
    yield " ".join(map(str, [len(counts), sum(c for _, c in counts),
                             fnv("".join(n + "\n" for n in names).encode()),
                             hash_of(c for _, c in counts)]))
    yield "# per top_n, with seed 42: top_n, rows, training, validation, test, hash of the order,"
    yield f"# and the first {SHOWN} row numbers of each split"
    for top_n in [0, 100, 50, 1000]:
        top = set(names[:top_n] if top_n else names)
        order = shuffled(42, [i for i, labels in enumerate(rows) if top.issuperset(labels)])
        n = len(order)
        a, b = int(n * 0.8), int(n * 0.9)
        parts = [order[:a], order[a:b], order[b:]]
        shown = [row for part in parts for row in part[:SHOWN]]
        yield " ".join(map(str, [top_n, n, *map(len, parts), hash_of(order), *shown]))


for name, lines in ("shuffle_table.txt", shuffle_table()), ("shipped_table.txt", shipped_table()):
    (HERE / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
