#!/bin/sh
# Every tracked C, C++ and CUDA file is as clang-format leaves it. usage: format.sh ROOT
# 77 (skipped): no clang-format, or a major version whose idea of the style is another.
set -eu
cd "${1:?usage: format.sh ROOT}"
if ! command -v clang-format >/dev/null 2>&1; then
    echo "skipped: no clang-format"
    exit 77
fi
case $(clang-format --version) in
*version\ 14.*) ;;
*)
    echo "skipped: the sources are formatted with clang-format 14, this is $(clang-format --version)"
    exit 77
    ;;
esac
if git rev-parse --git-dir >/dev/null 2>&1; then
    # A file removed from the working tree but not yet from the index is nobody's formatting error.
    files=$(git ls-files '*.c' '*.h' '*.cpp' '*.cu' '*.cuh' | while read -r f; do if [ -f "$f" ]; then echo "$f"; fi; done)
else
    files=$(find src mpi io tests -name '*.c' -o -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh')
fi
if [ -z "$files" ]; then
    echo "no files to look at under $1"
    exit 1
fi
bad=0
for file in $files; do
    if ! clang-format --dry-run -Werror "$file" >/dev/null 2>&1; then
        echo "$file: clang-format -i would change it"
        bad=1
    fi
done
exit "$bad"
