#!/bin/sh
# What the libraries define: names that others can see start with t5_, and no variable outside the log can
# change. What they call: nothing that starts a program, so that no path or text ever reaches a shell; but for
# report/gnuplot.c, which starts gnuplot without one. usage: symbols.sh LIBRARY.a... 77 (skipped): no nm or objdump.
set -eu
if ! command -v nm >/dev/null 2>&1 || ! command -v objdump >/dev/null 2>&1; then
    echo "skipped: no nm, no objdump"
    exit 77
fi
bad=0
for library in "$@"; do
    # _Z: C++ of the tokeniser; it offers only the C names of its header.
    nm -g --defined-only "$library" | awk -v library="${library##*/}" '
        NF == 3 && $2 !~ /[uVvWw]/ && $3 !~ /^(t5_|_Z|DW[.]ref|[.]gomp_)/ {
            printf "%s: visible name without t5_: %s\n", library, $3; bad = 1
        }
        END { exit bad }' || bad=1
    nm -u "$library" | awk -v library="${library##*/}" '
        NF == 1 { member = $1 }
        member == "gnuplot.c.o:" && $2 == "posix_spawnp" { next }
        $1 == "U" && $2 ~ /^(system|popen|wordexp|v?fork|exec[lv]p?e?|execvpe|fexecve|execveat|posix_spawnp?)$/ {
            printf "%s: starts programs: %s\n", library, $2; bad = 1
        }
        END { exit bad }' || bad=1
    objdump -t "$library" | awk -v library="${library##*/}" '
        /file format/ { member = $1; sub(/:$/, "", member); next }
        NF < 4 { next }
        # address, flags in up to three columns, section, size, name
        $(NF - 2) ~ /^[.]?(data|bss|tdata|tbss)$/ || $(NF - 2) ~ /^[.](data|bss)[.][^r]/ || $(NF - 2) == "*COM*" {
            if ($NF ~ /^[.]/ || $NF ~ /^(_Z|DW[.]ref)/) next
            if (member == "log.c.o") next
            printf "%s: %s: variable that can change: %s\n", library, member, $NF; bad = 1
        }
        END { exit bad }' || bad=1
done
exit "$bad"
