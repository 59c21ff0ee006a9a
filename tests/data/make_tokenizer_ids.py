#!/usr/bin/env python3
"""Makes tests/data/tokenizer_ids.txt and tests/data/tokenizers/: ids of texts as Transformers' slow
(SentencePiece-based) T5Tokenizer gives them with legacy=False. Needs Transformers 4.x (written with
4.57.6, sentencepiece 0.2.3) and protobuf; nothing is downloaded:

    pip install "transformers<5" sentencepiece protobuf
    python tests/data/make_tokenizer_ids.py

The folder tokenizers/ has a Hugging Face directory for every case, with a link to the spiece.model of
configs/demo. In tokenizer_ids.txt a line is one of

    case NAME N             directory tokenizers/NAME; N: len(tokenizer)
    labels WORD...          tokens then added with add_tokens, and their ids on the next line
    text HEX                a text's UTF-8 (*N*HEX: repeated to N characters); on the next line its ids,
                            the end token included (A,B*N: A and B, N times)
    shipped FIRST N HASH    FNV-1a of the ids (8 bytes each, lowest first) of the shipped texts
                            FIRST .. FIRST + N - 1, each with its end token
"""
import json
import logging
import os
import pathlib
import shutil
import sys
import warnings

os.environ["HF_HUB_OFFLINE"] = "1"
import transformers
from transformers import T5Tokenizer

HERE = pathlib.Path(__file__).resolve().parent
DEMO = HERE.parent.parent / "configs" / "demo"
CASES = HERE / "tokenizers"
SHIPPED, GROUP = 2000, 100

EMOJI = ["🎵", "📚", "🎉", "❤️", "❤", "👨‍👩‍👧‍👦", "👨‍👩", "🏛️", "1️⃣", "🇯🇵", "👍🏽", "👍", "★", "ハロ", "音", "新しい語"]

NASTY = [
    "", " ", "  ", "   ", "\t", "\n", "\r\n", "\u3000", "\u00a0", "\u200b", "\ufeff", "\u2028", "\x1c", "\x85",
    " 音楽", "  音楽", "音楽 ", "音楽  ", "  音楽  を  聞く  ", "音楽\tを\n聞く", "\u3000音楽\u3000\u3000を聞く\u3000",
    "\n音楽\n", "音楽\u200bを", "\ufeff音楽",
    "Ｈｅｌｌｏ　Ｗｏｒｌｄ！？", "１２３４５", "8 時8分 8", "１８", "（笑）", "ＡＢＣabc", "～〜－ー―", "￥１００", "①②③㍿㌔",
    "ﾊﾛｰ ﾜｰﾙﾄﾞ", "ｶﾞｷﾞｸﾞｹﾞｺﾞ", "ﾊﾟﾋﾟﾌﾟ", "｡｢｣､･ｦｧ", "ﾞ", "ﾟﾟ",
    "か\u3099き\u3099", "は\u309aひ\u309a", "e\u0301a\u0300", "\u0301", "\u3099\u3099", "Z\u0351\u036b\u0343\u036a",
    "한국어", "각", "ﬁﬂ", "ﷺ", "Ǆ", "Å", "Ω",
    "🎵", "🎵🎵", "音楽🎵を", "❤️", "❤", "❤️❤️", "👨‍👩‍👧‍👦", "👨‍👩‍👧", "👨‍👩", "👨\u200d", "\u200d", "\ufe0f", "\ufe0e", "1️⃣", "1\ufe0f",
    "🇯🇵", "🇯", "👍🏽", "🏽", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "👁️‍🗨️", "🏛️だよ🏛", "‼️™️Ⓜ️㊗️",
    "\0", "\0\0", "a\0b", "音楽\0", "\0音楽", "\x01\x02\x7f", "\x1b[31m",
    "</s>", "</s></s>", "</s>音楽", "音楽</s>", "音楽 </s>", "音楽</s> ", "音</s>楽", " </s> ", "音楽 </s> を </s> 聞く",
    "<pad>", "<pad>音楽", "音楽 <pad>", "<unk>", "<unk>音楽", "音楽<unk>を", "音楽 <unk> を", " <unk>", "<s>", "<s>音楽</s>",
    "<", "</", "</s", "<//s>", "<</s>>", "＜/s＞", "＜／ｓ＞", "<extra_id_＞", "<ＰＡＤ>",
    "<extra_id_0>", "<extra_id_1>", "<extra_id_99>", "<extra_id_100>", "<extra_id_10>0>", "<extra_id_>",
    "<extra_id_0><extra_id_1>", "<extra_id_0> <extra_id_1>", "<extra_id_0>  音楽", "音楽  <extra_id_0>  を  <extra_id_1>",
    " <extra_id_0> ", "<extra_id_0>　音楽　<extra_id_1>", "音楽<extra_id_0>を", "<extra_id_0>を", "<extra_id_0> を", "<extra_id_0>\n\tを",
    "▁", "▁▁", "▁音楽", "音▁楽", " ▁ 音楽", "▁<extra_id_0>", "音楽▁</s>",
    "[MASK]", "音楽[MASK]を", "音楽 [MASK] を", "[MASK]を", "word", "sword", "a word b", "a wordy b", " word ", "word</s>", "</s>word",
    "word word", "left  word", "stripl  a", "a  stripl  b", "a  stripr  b", "a  stripb  b", "　stripb　", "stripbstripb", "a stripl stripr b",
    "ab", "abc", "abcd", "xabcdy", "bc", "abce", "aabcd", "ababab",
    "新しい語", "新しい語です", "これは新しい語です", "★", "★★", "音★楽", "ハロ", "ハロー", "音", "音楽", "ﾊﾛ", "ﾊﾛー", "ＡＢ", "①", "Ａ",
    "とても長い" * 2000, "🎵" * 10000, "あ" * 10000, " " * 10000, "あ " * 5000, "<extra_id_0>" * 833,
]


def token(content, **flags):
    return dict({"content": content, "single_word": False, "lstrip": False, "rstrip": False,
                 "normalized": not flags.get("special", False), "special": False}, **flags)


def cases():
    """name -> (files, labels to add)"""
    names = [f"<extra_id_{i}>" for i in range(100)]
    basic = {"0": token("<pad>", special=True), "1": token("</s>", special=True), "2": token("<unk>", special=True)}
    flags = {"4200": token("word", single_word=True), "4201": token("stripl", lstrip=True),
             "4202": token("stripr", rstrip=True), "4203": token("stripb", lstrip=True, rstrip=True),
             "4204": token("ab"), "4205": token("abcd"), "4206": token("bc"), "4207": token("新しい語", special=True),
             "4208": token("[MASK]", special=True, lstrip=True), "4209": token("AB"), "500": token("ハロ"),
             "4210": token("8", single_word=True), "4211": token("</s", special=True)}
    five = names[:5]
    return {
        "bare": ({}, EMOJI),
        "japanese": ({"tokenizer_config.json": {"unk_token": "<unk>", "eos_token": "</s>", "pad_token": "<pad>",
                                                "extra_ids": 100, "additional_special_tokens": names,
                                                "sp_model_kwargs": {}},
                      "special_tokens_map.json": {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>",
                                                  "additional_special_tokens": names}}, EMOJI),
        "no_sentinels": ({"tokenizer_config.json": {"extra_ids": 0, "additional_special_tokens": None}}, EMOJI),
        "decoder": ({"tokenizer_config.json": {
            "added_tokens_decoder": {**basic, **{str(4104 - i): token(n, special=True, lstrip=True, rstrip=True)
                                                 for i, n in enumerate(five)}},
            "extra_ids": 5, "additional_special_tokens": five, "eos_token": "</s>", "legacy": True,
            "tokenizer_class": "T5Tokenizer"},
            "special_tokens_map.json": {"mask_token": "[IGNORED]"}, "added_tokens.json": {"ignored": 4001}}, EMOJI),
        "flags": ({"tokenizer_config.json": {"added_tokens_decoder": {**basic, **flags}, "extra_ids": 5,
                                             "mask_token": "[MASK]"}}, ["新", "word", "音楽を"]),
        "legacy": ({"added_tokens.json": {"🎵": 4100, "📚": 4101, "word": 4103, "[MASK]": 4102, "ハロ": 4110},
                    "special_tokens_map.json": {
                        "mask_token": {"content": "[MASK]", "lstrip": True, "rstrip": False, "normalized": False,
                                       "single_word": False},
                        "eos_token": {"content": "</s>", "lstrip": False, "rstrip": True, "normalized": True,
                                      "single_word": False},
                        "bos_token": "<s>", "cls_token": "[CLS]", "additional_special_tokens": ["新しい語", "★"]},
                    "tokenizer_config.json": {"tokenizer_class": "T5TokenizerFast", "extra_ids": 3}}, EMOJI),
        "fast": ({"tokenizer.json": {"version": "1.0", "added_tokens": [
                    dict(token("<pad>", special=True), id=0), dict(token("</s>", special=True), id=1),
                    dict(token("<unk>", special=True), id=2), dict(token("word", single_word=True), id=4000),
                    dict(token("<extra_id_0>", special=True), id=4002),
                    dict(token("<extra_id_1>", special=True), id=4001)]},
                  "tokenizer_config.json": {"extra_ids": 2, "tokenizer_class": "T5Tokenizer"}}, EMOJI),
        "own_specials": ({"tokenizer_config.json": {
            "eos_token": "<s>", "unk_token": {"__type": "AddedToken", "content": "ハロー", "lstrip": False,
                                              "normalized": True, "rstrip": False, "single_word": False},
            "pad_token": "[PAD]", "extra_ids": 2, "add_prefix_space": False,
            "additional_special_tokens": ["<extra_id_0>", {"__type": "AddedToken", "content": "<extra_id_1>",
                                          "lstrip": False, "normalized": True, "rstrip": False,
                                          "single_word": False}]}}, EMOJI),
    }


def fnv(data, h=0xCBF29CE484222325):
    for byte in data:
        h = (h ^ byte) * 0x100000001B3 % 2**64
    return h


def make(name, files, labels, texts, out):
    folder = CASES / name
    folder.mkdir(parents=True)
    for file, value in files.items():
        (folder / file).write_text(json.dumps(value, ensure_ascii=False, indent=0) + "\n")
    (folder / "spiece.model").symlink_to(pathlib.Path("..", "..", "..", "..", "configs", "demo", "spiece.model"))
    tok = T5Tokenizer.from_pretrained(folder, legacy=False)
    out.append(f"case {name} {len(tok)}")
    dump(tok, texts, out)
    tok.add_tokens(labels)
    out.append("labels " + " ".join(labels))
    out.append(" ".join(str(tok.convert_tokens_to_ids(l)) for l in labels))
    dump(tok, [], out)


def dump(tok, texts, out):
    for text in NASTY:
        ids = tok(text).input_ids
        out.append("text " + text.encode().hex() if len(text) < 2000 else f"text *{len(text)}*" + unit(text))
        out.append(runs(ids))
    for first in range(0, len(texts), GROUP):
        group = texts[first:first + GROUP]
        h = fnv(b"".join(i.to_bytes(8, "little") for t in group for i in tok(t).input_ids))
        out.append(f"shipped {first} {len(group)} {h:016x}")


def unit(text):
    """The shortest text that, repeated, is this one."""
    n = next(n for n in range(1, len(text) + 1) if (text[:n] * len(text))[:len(text)] == text)
    return text[:n].encode().hex()


def runs(ids):
    """ids, with *N behind one that is there N times in a row, or behind a group (a,b,c)*N"""
    out, i = [], 0
    while i < len(ids):
        best = (1, 1)
        for size in range(1, 9):
            n = 1
            while ids[i + n * size:i + (n + 1) * size] == ids[i:i + size]:
                n += 1
            if n > 3 and n * size > best[0] * best[1]:
                best = (n, size)
        n, size = best
        word = ",".join(str(x) for x in ids[i:i + size])
        out.append(word if n == 1 else f"{word}*{n}")
        i += n * size
    return " ".join(out)


def main():
    if not transformers.__version__.startswith("4."):
        sys.exit(f"expected Transformers 4, this is {transformers.__version__}")
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    shutil.rmtree(CASES, ignore_errors=True)
    texts = [json.loads(line)["sns_text"] for line in open(DEMO / "v3like.jsonl", encoding="utf-8")][:SHIPPED]
    out = []
    for name, (files, labels) in cases().items():
        make(name, files, labels, texts if name in ("japanese", "flags") else [], out)
    (HERE / "tokenizer_ids.txt").write_text("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
