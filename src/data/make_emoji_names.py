#!/usr/bin/env python3
"""Makes emoji_names_table.c: the Japanese short names (type "tts") of all characters and sequences
that CLDR annotates, without variation selectors, sorted by their bytes. Standard library only; needs
Debian's unicode-cldr-core (the committed table was made from version 41). Run it in any folder:

    python3 src/data/make_emoji_names.py [FOLDER OF CLDR, default /usr/share/unicode/cldr]
"""
import pathlib
import sys
import xml.etree.ElementTree as ET

HERE = pathlib.Path(__file__).resolve().parent
FILES = ["common/annotations/ja.xml", "common/annotationsDerived/ja.xml"]
HEAD = """/* Made by make_emoji_names.py; do not edit. The names come from CLDR
 * (%s),
 * Copyright 1991-2022 Unicode, Inc., licensed under
 * Unicode-DFS-2016: see CLDR-LICENSE.txt. */
#include "data/emoji_names.h"

/* clang-format off */
const char *const t5_emoji_names[][2] = {
"""


def plain(text):
    return text.replace("\ufe0e", "").replace("\ufe0f", "")


def literal(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def main():
    cldr = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "/usr/share/unicode/cldr")
    names = {}
    for file in FILES:
        for a in ET.parse(cldr / file).getroot().iter("annotation"):
            if a.get("type") == "tts" and plain(a.get("cp")):
                names.setdefault(plain(a.get("cp")), a.text.strip())
    lines = [f"    {{{literal(c)}, {literal(n)}}},\n" for c, n in sorted(names.items(), key=lambda x: x[0].encode())]
    tail = "};\n/* clang-format on */\n\nconst int t5_emoji_names_size = (int)(sizeof t5_emoji_names / sizeof *t5_emoji_names);\n"
    (HERE / "emoji_names_table.c").write_text(HEAD % " and ".join(FILES) + "".join(lines) + tail, encoding="utf-8")


if __name__ == "__main__":
    main()
