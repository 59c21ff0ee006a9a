#!/bin/sh
# Makes the rows of the scale measurements: usage: make_rows.sh [ROWS [FILE]], 1,000,000 rows into
# rows-ROWS.jsonl by default (182 MB, three minutes, 1.3 GB of memory for the generator; 20 seconds
# and 0.2 GB for 100,000). The same number gives the same bytes. A file that is there is kept.
# Needs Python 3 and Debian's unicode-cldr-core and unicode-data.
set -eu
rows=${1:-1000000}
file=${2:-rows-$rows.jsonl}
case $rows in
'' | *[!0-9]*)
    echo "make_rows.sh: ROWS is '$rows', expected a number of rows" >&2
    exit 2
    ;;
esac
for needed in /usr/share/unicode/cldr/common/annotations/ja.xml /usr/share/unicode/emoji/emoji-test.txt; do
    if [ ! -e "$needed" ]; then
        echo "make_rows.sh: $needed is missing: apt-get install unicode-cldr-core unicode-data" >&2
        exit 2
    fi
done
if [ -e "$file" ]; then
    echo "$file is there, kept"
    exit 0
fi
part=$file.part
trap 'rm -f "$part"' EXIT
trap 'exit 130' INT TERM
PYTHONDONTWRITEBYTECODE=1 python3 "$(dirname "$0")/../data/generator/make_dataset.py" \
    --rows "$rows" --seed 42 --out "$part" >/dev/null
mv "$part" "$file"
echo "$file: $rows rows, $(wc -c <"$file") bytes"
