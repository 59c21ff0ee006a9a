#!/usr/bin/env python3
"""Loads directories that t5mpi wrote with Transformers (4.x or 5.x, whichever this Python has) and
compares what they compute with what t5mpi says:

    python tests/oracle/check_export.py DIR...

Nothing may warn: neither a Python warning nor a message of Transformers' log. DIR/expected.jsonl, if it is
there, says what must come out, an object a line (texts as hexadecimal UTF-8):

    {"text": HEX, "ids": [..]}       what the tokeniser makes of a text, the end token included
    {"answer": [..], "text": HEX}    what it makes of ids, special tokens dropped
    {"scaled": true}                 is the decoder's output multiplied by d_model^-0.5 before the vocabulary?

Transformers 5 has no tokeniser that is based on SentencePiece: docs/tokeniser.md says where its ids are
others. With it only lines with "plain": true must be the same.

Prints a line for every directory; exit status 1 if anything differs or warns.
"""
import json
import logging
import os
import pathlib
import sys
import warnings

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
import transformers
from transformers import AutoConfig, AutoModelForSeq2SeqLM, T5ForConditionalGeneration, T5Tokenizer

MAJOR = int(transformers.__version__.split(".")[0])
# A text of the tests that ends with </s>; nothing that depends on the directory.
DOUBLED = "This sequence already has"
# What Transformers 5 says about every T5 with a matrix of its own for the output, its own ones included.
UNTIED = "so we will NOT tie them"


class Messages(logging.Handler):
    """What was warned about while it was in use."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.texts = []

    def emit(self, record):
        self.texts.append(record.getMessage())

    def __enter__(self):
        transformers.utils.logging.disable_progress_bar()
        transformers.utils.logging.get_logger().addHandler(self)
        logging.captureWarnings(True)
        logging.getLogger("py.warnings").addHandler(self)
        logging.getLogger("py.warnings").propagate = False
        warnings.simplefilter("always")
        return self

    def __exit__(self, *exception):
        transformers.utils.logging.get_logger().removeHandler(self)
        logging.getLogger("py.warnings").removeHandler(self)
        logging.captureWarnings(False)


def text_of(line):
    return bytes.fromhex(line["text"]).decode()


def same_answer(found, expected):
    """Transformers 5 puts no spaces around tokens that are no pieces, 4 does."""
    return found == expected if MAJOR < 5 else found.replace(" ", "") == expected.replace(" ", "")


def check_tokenizer(directory, expected, faults):
    """Returns the tokeniser and how many lines may differ in this version, and do."""
    tokenizer = T5Tokenizer.from_pretrained(directory)
    allowed = 0
    for line in expected:
        if "ids" in line:
            found, wanted = tokenizer(text_of(line)).input_ids, line["ids"]
            same = found == wanted
        elif "answer" in line:
            found, wanted = tokenizer.decode(line["answer"], skip_special_tokens=True), text_of(line)
            same = same_answer(found, wanted)
        else:
            continue
        if not same and MAJOR >= 5 and not line.get("plain"):
            allowed += 1
        elif not same:
            faults.append(f"{text_of(line)[:60]!r}: {found[:60]}, expected {wanted[:60]}")
    return tokenizer, allowed


def load_model(directory):
    """T5 as a user of t5mpi loads it; mT5 and umT5 have classes of their own."""
    if AutoConfig.from_pretrained(directory).model_type == "t5":
        return T5ForConditionalGeneration.from_pretrained(directory).eval()
    return AutoModelForSeq2SeqLM.from_pretrained(directory).eval()


@torch.no_grad()
def check_scale(model, scaled, faults):
    config = model.config
    out = model(input_ids=torch.tensor([[5, 6, config.eos_token_id]]),
                decoder_input_ids=torch.tensor([[config.decoder_start_token_id, 7]]), output_hidden_states=True)
    plain = out.decoder_hidden_states[-1] @ model.lm_head.weight.T
    factor = config.d_model**-0.5 if scaled else 1.0
    if not torch.allclose(out.logits, plain * factor, rtol=1e-4, atol=1e-5):
        faults.append(f"the output is{' not' if scaled else ''} scaled")


@torch.no_grad()
def check_model(directory, tokenizer, expected, faults):
    model = load_model(directory)
    for line in expected:
        if "scaled" in line:
            check_scale(model, line["scaled"], faults)
    inputs = tokenizer(["音楽を聞く", "ねこ"], return_tensors="pt", padding=True)
    model.generate(**inputs)  # as generation_config.json says
    return model


def check(directory):
    path = pathlib.Path(directory)
    lines = path / "expected.jsonl"
    expected = [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []
    faults = []
    with Messages() as messages:
        tokenizer, allowed = check_tokenizer(directory, expected, faults)
        model = check_model(directory, tokenizer, expected, faults) if (path / "config.json").exists() else None
    untied = model is not None and not torch.equal(model.lm_head.weight, model.shared.weight)
    for text in messages.texts:
        if not (MAJOR >= 5 and untied and UNTIED in text) and DOUBLED not in text:
            faults.append(f"warned: {text}")
    note = f", {allowed} differ as they may in this version" if allowed else ""
    print(f"{path.name}: {len(expected)} comparisons{note}: {'differs' if faults else 'ok'}")
    for fault in faults:
        print(f"  {fault}")
    return not faults


def main(directories):
    if not directories:
        print(__doc__, file=sys.stderr)
        return 2
    print(f"Transformers {transformers.__version__}, PyTorch {torch.__version__}")
    return 0 if all([check(directory) for directory in directories]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
