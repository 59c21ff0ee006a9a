#include "io/pickle_internal.h"
#include <string.h>

/* Indexed by t5_pickle_global. type: of a storage, a t5_weights_type; -1: not read. */
static const struct {
    const char *module, *name, *full;
    int type;
} globals[] = {
#define GLOBAL(module, name, type) module, name, module "." name, type
    [T5_PICKLE_ORDERED_DICT] = {GLOBAL("collections", "OrderedDict", -1)},
    [T5_PICKLE_REBUILD_TENSOR] = {GLOBAL("torch._utils", "_rebuild_tensor_v2", -1)},
    [T5_PICKLE_REBUILD_PARAMETER] = {GLOBAL("torch._utils", "_rebuild_parameter", -1)},
    [T5_PICKLE_FIRST_STORAGE] = {GLOBAL("torch", "FloatStorage", T5_WEIGHTS_F32)},
    {GLOBAL("torch", "HalfStorage", T5_WEIGHTS_F16)},
    {GLOBAL("torch", "BFloat16Storage", T5_WEIGHTS_BF16)},
    {GLOBAL("torch", "DoubleStorage", -1)},
    {GLOBAL("torch", "LongStorage", -1)},
    {GLOBAL("torch", "IntStorage", -1)},
    {GLOBAL("torch", "ShortStorage", -1)},
    {GLOBAL("torch", "CharStorage", -1)},
    {GLOBAL("torch", "ByteStorage", -1)},
    {GLOBAL("torch", "BoolStorage", -1)},
#undef GLOBAL
};
enum { N_GLOBALS = sizeof globals / sizeof *globals };

static bool equals(const char *s, const char *text, size_t n) {
    return strlen(s) == n && memcmp(s, text, n) == 0;
}

int t5_pickle_find_global(const char *module, size_t module_bytes, const char *name,
                          size_t name_bytes) {
    for (int i = 0; i < N_GLOBALS; i++) {
        if (equals(globals[i].module, module, module_bytes) &&
            equals(globals[i].name, name, name_bytes))
            return i;
    }
    return -1;
}

const char *t5_pickle_global_name(int64_t global) {
    return globals[global].full;
}

bool t5_pickle_storage_type(int64_t global, t5_weights_type *type) {
    if (globals[global].type < 0)
        return false;
    *type = (t5_weights_type)globals[global].type;
    return true;
}

const char *t5_pickle_kind_name(t5_pickle_kind kind) {
    static const char *const names[] = {
        [T5_PICKLE_ABSENT] = "nothing",     [T5_PICKLE_MARK] = "a mark",
        [T5_PICKLE_NONE] = "None",          [T5_PICKLE_BOOLEAN] = "a boolean",
        [T5_PICKLE_INTEGER] = "an integer", [T5_PICKLE_TEXT] = "a string",
        [T5_PICKLE_GLOBAL] = "a global",    [T5_PICKLE_TUPLE] = "a tuple",
        [T5_PICKLE_DICT] = "a dictionary",  [T5_PICKLE_STORAGE] = "a storage",
        [T5_PICKLE_TENSOR] = "a tensor",
    };
    return names[kind];
}

const char *t5_pickle_opcode_name(unsigned char opcode) {
    static const char *const names[256] = {
        ['I'] = "INT",
        ['J'] = "BININT",
        ['K'] = "BININT1",
        ['M'] = "BININT2",
        ['L'] = "LONG",
        [0x8a] = "LONG1",
        [0x8b] = "LONG4",
        ['S'] = "STRING",
        ['T'] = "BINSTRING",
        ['U'] = "SHORT_BINSTRING",
        ['B'] = "BINBYTES",
        ['C'] = "SHORT_BINBYTES",
        [0x8e] = "BINBYTES8",
        [0x96] = "BYTEARRAY8",
        [0x97] = "NEXT_BUFFER",
        [0x98] = "READONLY_BUFFER",
        ['N'] = "NONE",
        [0x88] = "NEWTRUE",
        [0x89] = "NEWFALSE",
        ['V'] = "UNICODE",
        [0x8c] = "SHORT_BINUNICODE",
        ['X'] = "BINUNICODE",
        [0x8d] = "BINUNICODE8",
        ['F'] = "FLOAT",
        ['G'] = "BINFLOAT",
        [']'] = "EMPTY_LIST",
        ['a'] = "APPEND",
        ['e'] = "APPENDS",
        ['l'] = "LIST",
        [')'] = "EMPTY_TUPLE",
        ['t'] = "TUPLE",
        [0x85] = "TUPLE1",
        [0x86] = "TUPLE2",
        [0x87] = "TUPLE3",
        ['}'] = "EMPTY_DICT",
        ['d'] = "DICT",
        ['s'] = "SETITEM",
        ['u'] = "SETITEMS",
        [0x8f] = "EMPTY_SET",
        [0x90] = "ADDITEMS",
        [0x91] = "FROZENSET",
        ['0'] = "POP",
        ['2'] = "DUP",
        ['('] = "MARK",
        ['1'] = "POP_MARK",
        ['g'] = "GET",
        ['h'] = "BINGET",
        ['j'] = "LONG_BINGET",
        ['p'] = "PUT",
        ['q'] = "BINPUT",
        ['r'] = "LONG_BINPUT",
        [0x94] = "MEMOIZE",
        [0x82] = "EXT1",
        [0x83] = "EXT2",
        [0x84] = "EXT4",
        ['c'] = "GLOBAL",
        [0x93] = "STACK_GLOBAL",
        ['R'] = "REDUCE",
        ['b'] = "BUILD",
        ['i'] = "INST",
        ['o'] = "OBJ",
        [0x81] = "NEWOBJ",
        [0x92] = "NEWOBJ_EX",
        [0x80] = "PROTO",
        ['.'] = "STOP",
        [0x95] = "FRAME",
        ['P'] = "PERSID",
        ['Q'] = "BINPERSID",
    };
    return names[opcode];
}
