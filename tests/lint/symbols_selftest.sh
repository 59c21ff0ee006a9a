#!/bin/sh
# symbols.sh must be able to fail: a library with one of everything. usage: symbols_selftest.sh COMPILER
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if ! command -v objdump >/dev/null 2>&1; then
    echo "skipped: no objdump"
    exit 77
fi

# library NAME: from the C source on standard input
library() {
    "$compiler" -std=c17 -x c -c -o "$work/$1.o" -
    ar rcs "$work/$1.a" "$work/$1.o"
}
compiler=$1
failures=0

library good <<'C'
static const char *const table[] = {"x", "y"};
const int t5_constant = 3;
static int hidden(int i) { return i + 1; }
const char *t5_name(int i) { return table[hidden(i) & 1]; }
C
if ! sh "$here/symbols.sh" "$work/good.a" >"$work/out"; then
    echo "a library in order is refused:" && cat "$work/out"
    failures=1
fi

library bad <<'C'
int visible(void) { return 1; }
const char *const names[] = {"a"};
int t5_global = 3;
static int counter;
static _Thread_local int per_thread;
int system(const char *), execlp(const char *, const char *, ...), posix_spawnp(void);
int t5_run(void) { return system("ls") + execlp("ls", "ls", (char *)0) + posix_spawnp(); }
int t5_count(void) { static int calls = 5; return ++counter + per_thread++ + ++calls; }
C
if sh "$here/symbols.sh" "$work/bad.a" >"$work/out"; then
    echo "nothing noticed"
    failures=1
fi
for name in visible names t5_global counter per_thread calls system execlp posix_spawnp; do
    if ! grep -q "[ .]$name" "$work/out"; then
        echo "not noticed: $name"
        failures=1
    fi
done
exit "$failures"
