#!/bin/sh
# The whole experiment plan (configs/jmoji_v3.cfg: five experiments, early stopping, generation, metrics) on one GPU, with
# the shipped 5,000 rows, none of them left out by the tree: how long it takes, and what the time goes into.
# usage: plan.sh BUILD|BUNDLE [-m MODEL] [OPTION OF t5mpi]...
# MODEL: a Hugging Face directory with spiece.model. Without it one of T5-base's shapes (vocabulary 32,128) with random
# weights is made, with PyTorch and Transformers. What is right or good is not judged here: only the time counts, and with
# random weights early stopping may come at other epochs than with trained ones (the table says at which).
set -eu
place=$(cd "${1:?usage: plan.sh BUILD|BUNDLE [-m MODEL] [OPTION OF t5mpi]...}" && pwd)
shift
root=$(cd "$(dirname "$0")/../.." && pwd)
model=
if [ "${1:-}" = -m ]; then
    model=$(cd "$2" && pwd)
    shift 2
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

if [ -z "$model" ]; then
    model=$work/model
    "${T5MPI_PYTHON:-python3}" - "$model" <<'END'
import sys
from transformers import T5Config, T5ForConditionalGeneration

shape = T5Config(vocab_size=32128, d_model=768, d_kv=64, d_ff=3072, num_layers=12, num_heads=12,
                 decoder_start_token_id=0)
T5ForConditionalGeneration(shape).save_pretrained(sys.argv[1])
END
    cp "$root/configs/demo/spiece.model" "$model/"
fi

if [ -x "$place/start" ]; then program="$place/start t5mpi"; else program=${T5MPI:-$place/t5mpi}; fi
begin=$(date +%s.%N)
status=0
# shellcheck disable=SC2086 # the program may be two words
$program "$root/configs/jmoji_v3.cfg" --set "model.path=$model" --set "data.path=$root/configs/demo/v3like.jsonl" \
    --set train.precision=bf16 --set parallel.speculative=all --output "$work/run" "$@" >"$work/log" 2>&1 || status=$?
end=$(date +%s.%N)
sed -n '/^Results on the test rows/,/^time of all trials/p' "$work/log"
if [ "$status" -ne 0 ]; then
    tail -n 25 "$work/log"
    exit "$status"
fi
echo "$begin $end" | awk '{ printf "the whole program: %.1f s\n", $2 - $1 }'
