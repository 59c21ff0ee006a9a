#!/bin/sh
# The layering test: which folder may include what, and what library code may not call.
# usage: layers.sh ROOT. Prints FILE:LINE: what is wrong, and exits 1, or prints nothing and exits 0.
# layers_selftest.sh plants a violation of every rule and expects to see it here.
set -eu
cd "${1:?usage: layers.sh ROOT}"

sources=$(find src mpi io -type f \( -name '*.c' -o -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' \) | LC_ALL=C sort)
if [ -z "$sources" ]; then
    echo "no sources under $1"
    exit 1
fi

# shellcheck disable=SC2086 # a list of names without spaces: ours
awk '
BEGIN {
    # folder -> the folders of the project that it may include
    may["base"] = "base"
    may["data"] = "data base"
    may["cuda"] = "cuda"
    may["device"] = "device cuda base"
    may["model"] = "model device base"
    may["mpi"] = "mpi cuda base"
    may["io"] = "io base"
    # the program, from rows, models and files up; saved and report do not know each other
    may["score"] = "score data base"
    may["plan"] = "plan base"
    may["setup"] = "setup plan score model data device mpi io base"
    may["results"] = "results setup plan score data io base"
    may["saved"] = "saved results setup plan score model data device io base"
    may["report"] = "report results plan score io base"
    may["run"] = "run report saved results setup plan score model data device mpi io base"
    may["main"] = may["run"]
    # library header -> the files that may include it
    lib["mpi.h"] = "^mpi/"
    lib["hdf5.h"] = "^io/"
    lib["H5"] = "^io/"
    lib["sentencepiece"] = "^src/data/.*[.]cpp$"
    lib["dnnl"] = "^src/device/"
    lib["oneapi/dnnl/"] = "^src/device/"
    lib["libconfig.h"] = "^src/base/"
    lib["cuda"] = "^src/(cuda|device)/|^mpi/nccl"
    lib["cublas"] = "^src/(cuda|device)/"
    lib["nccl.h"] = "^(src/cuda|mpi)/nccl[.]c$"
    lib["zip.h"] = "^io/archive[.]c$"
    lib["jansson.h"] = "^(io/|src/run/score[.]c$)"
    # what only main.c may do; printing to a FILE * that was passed in is fine
    banned = "(^|[^A-Za-z0-9_])(printf|vprintf|puts|putchar|perror|exit|_exit|quick_exit|abort|" \
             "getenv|secure_getenv|setenv|putenv)[ \t]*[(]"
    streams = "(^|[^A-Za-z0-9_])(stdout|stderr)([^A-Za-z0-9_]|$)"
}
function wrong(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; bad = 1 }
function folder_of(file, part, n) {
    n = split(file, part, "/")
    if (part[1] != "src") return part[1]
    return n == 2 ? "main" : part[2]
}
# The line without comments, strings and characters; comment: inside one that began on an earlier line.
function code_of(line, out, c, rest) {
    out = ""
    while (line != "") {
        if (comment) {
            if (!(c = index(line, "*/"))) return out
            line = substr(line, c + 2); comment = 0
            continue
        }
        if (!match(line, /\/\*|\/\/|"|\047/)) return out line
        out = out substr(line, 1, RSTART - 1)
        rest = substr(line, RSTART)
        if (substr(rest, 1, 2) == "//") return out
        if (substr(rest, 1, 2) == "/*") { comment = 1; line = substr(rest, 3); continue }
        if (!match(rest, /^("([^"\\]|\\.)*"|\047([^\047\\]|\\.)*\047)/)) return out
        out = out " "; line = substr(rest, RLENGTH + 1)
    }
    return out
}
FNR == 1 {
    comment = 0
    folder = folder_of(FILENAME)
    if (!(folder in may)) wrong("the folder \"" folder "\" is in no layer: add it to tests/lint/layers.sh")
}
/^[ \t]*#[ \t]*include[ \t]*"/ {
    name = $0; sub(/^[^"]*"/, "", name); sub(/".*/, "", name)
    n = split(name, part, "/")
    target = n == 1 ? folder : (part[1] == "src" ? part[2] : part[1])
    if (name ~ /[.][.]/) wrong("includes \"" name "\" by a relative path")
    else if (index(" " may[folder] " ", " " target " ") == 0)
        wrong(folder " may not include \"" name "\" (allowed: " may[folder] ")")
    next
}
/^[ \t]*#[ \t]*include[ \t]*</ {
    name = $0; sub(/^[^<]*</, "", name); sub(/>.*/, "", name)
    for (l in lib)
        if (index(name, l) == 1 && FILENAME !~ lib[l]) wrong("<" name "> belongs in files like " lib[l])
    next
}
{
    code = code_of($0)
    if (folder == "main") next
    # t5_comm_abort must not return, whatever MPI_Abort does.
    if (FILENAME == "mpi/comm.c") sub(/(^|[^A-Za-z0-9_])abort[ \t]*[(]/, "", code)
    if (code ~ banned) wrong("library code does not print, exit or read the environment: " $0)
    if (code ~ streams && FILENAME != "src/base/log.c") wrong("library code prints to the FILE * it is given: " $0)
}
END { exit bad }
' $sources
