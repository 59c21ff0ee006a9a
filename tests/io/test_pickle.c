/* The pickle of a state dict: what is refused, by name; what is read from one; pickles cut short
 * and with changed bytes. */
#include "io/pickle.h"
#include "tests/io/scratch.h"

#define PROTO "\x80\x02"
#define U(length, text) "X" length "\0\0\0" text
#define A U("\1", "a")
#define STORAGE_OF(type, key, count) \
    "(" U("\7", "storage") "ctorch\n" type "\n" key U("\3", "cpu") count "tQ"
#define STORAGE(count) STORAGE_OF("FloatStorage", U("\1", "0"), count)
#define REBUILD(arguments) "ctorch._utils\n_rebuild_tensor_v2\n(" arguments "tR"
#define TENSOR(storage, first, sizes, strides) REBUILD(storage first sizes strides "\x89N")
#define SIX STORAGE("K\6")
#define TWO_BY_THREE TENSOR(SIX, "K\0", "K\2K\3\x86", "K\3K\1\x86")
/* {"a": value} */
#define DICT_OF(value) PROTO "}" A value "s."

static const struct {
    const char *bytes;
    size_t n;
    const char *text;
} bad[] = {
#define P(s) s, sizeof(s) - 1
    {P(""), "byte 0 of the pickle: the pickle ends inside an opcode"},
    {P("\x80"), "ends inside an opcode"},
    {P("\x80\x03}."), "byte 0 of the pickle: pickle protocol 3, expected 2"},
    {P("\x80\x04\x95\0\0\0\0\0\0\0\0}."), "pickle protocol 4, expected 2"},
    {P(PROTO "}"), "byte 3 of the pickle: the pickle ends"},
    {P(PROTO "."), "nothing on the stack for STOP"},
    {P(PROTO "(."), "nothing on the stack for STOP"},
    {P(PROTO "}}."), "1 values are left on the stack"},
    {P(PROTO "(}."), "1 values are left on the stack"},
    {P(PROTO "N."), "the pickle is None, expected a dictionary of tensors"},
    {P(PROTO A "."), "the pickle is a string, expected a dictionary"},
    {P(PROTO "K\1."), "the pickle is an integer, expected a dictionary"},
    {P(PROTO ")."), "the pickle is a tuple, expected a dictionary"},
    {P(PROTO "\x88."), "the pickle is a boolean, expected a dictionary"},
    {P(PROTO SIX "."), "the pickle is a storage, expected a dictionary"},
    {P(PROTO TWO_BY_THREE "."), "the pickle is a tensor, expected a dictionary"},
    {P(PROTO "ccollections\nOrderedDict\n."), "the pickle is a global, expected"},
    /* what could run something, import something, or make objects of other kinds */
    {P(PROTO "cos\nsystem\n" U("\2", "ls") "\x85R."),
     "byte 2 of the pickle: the pickle uses GLOBAL os.system, which a state dict does not need; "
     "nothing of it was executed"},
    {P("cposix\nsystem\n."), "GLOBAL posix.system"},
    {P("c__builtin__\neval\n."), "GLOBAL __builtin__.eval"},
    {P("ctorch\nload\n."), "GLOBAL torch.load"},
    {P("ctorch._utils\n_rebuild_tensor\n."), "GLOBAL torch._utils._rebuild_tensor,"},
    {P("ccollections\nOrderedDict.fromkeys\n."), "GLOBAL collections.OrderedDict.fromkeys"},
    {P("ctorch\nUntypedStorage\n."), "GLOBAL torch.UntypedStorage"},
    {P("cos\n"), "ends inside an opcode"},
    {P("c\n\n."), "GLOBAL ., which"},
    {P("ios\nsystem\n."), "the pickle uses the opcode INST, which a state dict does not need"},
    {P("(o."), "opcode OBJ"},
    {P(")\x81."), "opcode NEWOBJ,"},
    {P(")\x92."), "opcode NEWOBJ_EX"},
    {P("\x8c\2os\x8c\6system\x93."), "opcode SHORT_BINUNICODE"},
    {P("\x93."), "opcode STACK_GLOBAL"},
    {P("\x82\1."), "opcode EXT1"},
    {P("P0\n."), "opcode PERSID"},
    {P("]."), "opcode EMPTY_LIST"},
    {P("G\0\0\0\0\0\0\0\0."), "opcode BINFLOAT"},
    {P("U\1a."), "opcode SHORT_BINSTRING"},
    {P("I1\n."), "opcode INT,"},
    {P("N0."), "opcode POP,"},
    {P("N2."), "opcode DUP"},
    {P("\xfe"), "0xfe is no opcode"},
    {P("\0"), "0x00 is no opcode"},
    /* the stack, the memo, the texts */
    {P("X\1\0\0"), "ends inside an opcode"},
    {P("X\xff\xff\xff\xff"
       "a"),
     "ends inside an opcode"},
    {P(U("\1", "\xff") "."), "a string that is not UTF-8 or has a NUL"},
    {P(U("\1", "\0") "."), "a string that is not UTF-8 or has a NUL"},
    {P("\x8a\x09"
       "123456789."),
     "an integer of 9 bytes"},
    {P("\x85."), "a tuple of 1 needs more than the stack has"},
    {P("(N\x86."), "a tuple of 2 needs more than the stack has"},
    {P("NN\x87."), "a tuple of 3 needs more than the stack has"},
    {P("Nt."), "no mark on the stack for TUPLE"},
    {P("Nu."), "no mark on the stack for SETITEMS"},
    {P("(NNu."), "SETITEMS without a dictionary"},
    {P("}(Nu."), "or with half a pair"},
    {P("}(NNu."), "the key of a dictionary is None, expected a string"},
    {P("N(" A "Nu."), "an item is set in None, expected a dictionary"},
    {P(A "Ns."), "no dictionary on the stack"},
    {P("(" A "Ns."), "an item is set in a mark, expected a dictionary"},
    {P("q\0."), "nothing on the stack for BINPUT"},
    {P("(q\0."), "nothing on the stack for BINPUT"},
    {P("Nq\xff."), "place 255 of the memo in a pickle of 4 bytes"},
    {P("Nr\xff\xff\xff\xff."), "place 4294967295 of the memo in a pickle of 7 bytes"},
    {P("h\0."), "nothing in place 0 of the memo"},
    {P("Nq\2h\1."), "nothing in place 1 of the memo"},
    {P("j\xff\xff\xff\xff."), "nothing in place 4294967295 of the memo"},
    {P("NR."), "nothing on the stack for REDUCE"},
    {P("N)R."), "REDUCE of None, expected a global"},
    {P("}Nb."), "BUILD of a dictionary with None, expected two dictionaries"},
    {P("N}b."), "BUILD of None with a dictionary"},
    {P("NQ."), "a persistent id that is no storage"},
    {P(")Q."), "a persistent id that is no storage"},
    {P("(" U("\7", "Storage") "ctorch\nFloatStorage\n" A A "K\1tQ."), "is no storage"},
    {P("(" U("\7", "storage") "ccollections\nOrderedDict\n" A A "K\1tQ."), "is no storage"},
    {P("(" U("\7", "storage") "ctorch\nFloatStorage\n" A A "J\xff\xff\xff\xfftQ."), "no storage"},
    {P("(" U("\7", "storage") "ctorch\nFloatStorage\n" A A "tQ."), "is no storage"},
    {P("ccollections\nOrderedDict\nN\x85R."),
     "collections.OrderedDict with arguments that a state dict does not give it"},
    {P("ccollections\nOrderedDict\nNR."), "collections.OrderedDict with arguments"},
    {P("ctorch\nFloatStorage\n)R."), "torch.FloatStorage with arguments"},
    {P(REBUILD("") "."), "torch._utils._rebuild_tensor_v2 with arguments"},
    {P(REBUILD("NK\0))\x89N") "."), "_rebuild_tensor_v2 with arguments"},
    {P(REBUILD(SIX "NK\0)\x89N") "."), "_rebuild_tensor_v2 with arguments"},
    {P(REBUILD(SIX "K\0K\6\x85)\x89N") "."), "_rebuild_tensor_v2 with arguments"},
    {P(REBUILD(SIX "K\0N\x85K\1\x85\x89N") "."), "_rebuild_tensor_v2 with arguments"},
    {P(REBUILD(SIX "K\0))\x89NNN") "."), "_rebuild_tensor_v2 with arguments"},
    {P("ctorch._utils\n_rebuild_parameter\nN\x88N\x87R."), "_rebuild_parameter with arguments"},
    /* the tensors */
    {P(DICT_OF("N")), "entry a is None, expected a tensor"},
    {P(DICT_OF("}")), "entry a is a dictionary, expected a tensor"},
    {P(DICT_OF(SIX)), "entry a is a storage, expected a tensor"},
    {P(PROTO "}" U("\3", "a\nb") "Ns."), "entry a"},
    {P(DICT_OF(TENSOR(STORAGE_OF("LongStorage", A, "K\6"), "K\0", ")", ")"))),
     "tensor a: torch.LongStorage, expected FloatStorage, HalfStorage or BFloat16Storage"},
    {P(DICT_OF(TENSOR(SIX, "K\0", "(K\1K\1K\1K\1K\1t", "(K\1K\1K\1K\1K\1t"))),
     "tensor a: 5 dimensions, expected at most 4"},
    {P(DICT_OF(TENSOR(SIX, "K\0", "K\3K\2\x86", "K\1K\3\x86"))),
     "tensor a: is not stored row by row; save it as tensor.contiguous()"},
    {P(DICT_OF(TENSOR(SIX, "K\0", "K\3\x85", "K\2\x85"))), "tensor a: is not stored row by row"},
    {P(DICT_OF(TENSOR(SIX, "K\0", "K\3\x85", "K\0\x85"))), "tensor a: is not stored row by row"},
    {P(DICT_OF(TENSOR(SIX, "K\0", "J\xff\xff\xff\xff\x85", "K\1\x85"))), "size or a stride is neg"},
    {P(DICT_OF(TENSOR(SIX, "K\0", "K\1\x85", "J\xff\xff\xff\xff\x85"))), "size or a stride is neg"},
    {P(DICT_OF(TENSOR(SIX, "J\xff\xff\xff\xff", "K\1\x85", "K\1\x85"))), "not within its storage"},
    {P(DICT_OF(TENSOR(SIX, "K\1", "K\2K\3\x86", "K\3K\1\x86"))), "tensor a: is not within its"},
    {P(DICT_OF(TENSOR(SIX, "K\7", "K\0\x85", "K\1\x85"))), "tensor a: is not within its storage"},
    {P(DICT_OF(TENSOR(STORAGE("K\5"), "K\0", "K\2K\3\x86", "K\3K\1\x86"))), "not within its"},
    {P(DICT_OF(
         TENSOR(SIX, "K\0", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7fK\2\x86", "K\2K\1\x86"))),
     "tensor a: its size is beyond 64 bits"},
};

static void refused(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        t5_pickle *pickle;
        t5_error err = {0};
        if (t5_pickle_read(bad[i].bytes, bad[i].n, &pickle, &err) != T5_ERR_INPUT)
            fail_msg("row %zu accepted, expected \"%s\"", i, bad[i].text);
        assert_null(pickle);
        assert_text(err, bad[i].text);
    }
}

/* An OrderedDict with _metadata, as a module has it; the memo; numbers of every width; a tensor
 * that is there again; a Parameter. */
static const char whole[] =
    PROTO "ccollections\nOrderedDict\nq\0)Rq\1(" U("\1", "w") "q\2" TWO_BY_THREE "q\3" U("\1", "s")
        TENSOR(STORAGE_OF("HalfStorage", U("\2", "17"), "J\0\0\1\0"), "M\0\1", ")",
               ")") U("\1", "e") TENSOR(STORAGE_OF("BFloat16Storage", U("\1", "1"), "K\0"), "K\0",
                                        "K\0K\3\x86", "K\3K\1\x86") U("\1", "o")
            TENSOR(SIX, "\x8a\1\2", "(K\1K\2K\1K\2t", "(K\7K\2K\7K\1t") "u(" U("\1", "x") "h\3" U(
                "\1", "p") "ctorch._utils\n_rebuild_parameter\n(j\3\0\0\0\x88Nt"
                           "Ru"
                           "}" U("\1", "m") "h\0)R" U("\0", "") "}" U("\1", "v") "K\1sss"
                                                                                 "b.";

static void check(const t5_pickle_tensor *t, const char *name, const char *storage,
                  t5_weights_type type, int64_t count, int64_t first, int n_dims) {
    assert_int_equal(t->name_bytes, strlen(name));
    assert_memory_equal(t->name, name, t->name_bytes);
    assert_int_equal(t->storage_bytes, strlen(storage));
    assert_memory_equal(t->storage, storage, t->storage_bytes);
    assert_int_equal(t->type, type);
    assert_int_equal(t->storage_count, count);
    assert_int_equal(t->first, first);
    assert_int_equal(t->n_dims, n_dims);
}

static void state_dict(void **state) {
    (void)state;
    t5_pickle *p;
    t5_error err = {0};
    if (t5_pickle_read(whole, sizeof whole - 1, &p, &err))
        fail_msg("%s", err.text);
    assert_int_equal(t5_pickle_size(p), 6);
    check(t5_pickle_at(p, 0), "w", "0", T5_WEIGHTS_F32, 6, 0, 2);
    assert_int_equal(t5_pickle_at(p, 0)->dims[0], 2);
    assert_int_equal(t5_pickle_at(p, 0)->dims[1], 3);
    check(t5_pickle_at(p, 1), "s", "17", T5_WEIGHTS_F16, 65536, 256, 0);
    check(t5_pickle_at(p, 2), "e", "1", T5_WEIGHTS_BF16, 0, 0, 2);
    check(t5_pickle_at(p, 3), "o", "0", T5_WEIGHTS_F32, 6, 2, 4);
    check(t5_pickle_at(p, 4), "x", "0", T5_WEIGHTS_F32, 6, 0, 2);
    check(t5_pickle_at(p, 5), "p", "0", T5_WEIGHTS_F32, 6, 0, 2);
    t5_pickle_free(p);
}

/* Copied to memory of just that size, so that a sanitizer sees a byte read too many. */
static t5_status read_copy(const char *bytes, size_t n, t5_error *err) {
    t5_pickle *pickle;
    char *copy = malloc(n + !n);
    assert_non_null(copy);
    memcpy(copy, bytes, n);
    t5_status status = t5_pickle_read(copy, n, &pickle, err);
    assert_true((status == T5_OK) == (pickle != NULL));
    assert_true((status == T5_OK) == (err->text[0] == '\0'));
    t5_pickle_free(pickle);
    free(copy);
    return status;
}

static void damaged(void **state) {
    (void)state;
    char bytes[sizeof whole];
    for (size_t cut = 0; cut < sizeof whole - 1; cut++) {
        t5_error err = {0};
        assert_int_equal(read_copy(whole, cut, &err), T5_ERR_INPUT);
    }
    memcpy(bytes, whole, sizeof whole);
    for (size_t at = 0; at < sizeof whole - 1; at++) {
        for (int value = 0; value < 256; value++) {
            t5_error err = {0};
            bytes[at] = (char)value;
            t5_status status = read_copy(bytes, sizeof whole - 1, &err);
            assert_true(status == T5_OK || status == T5_ERR_INPUT);
        }
        bytes[at] = whole[at];
    }
}

static void huge(void **state) {
    (void)state;
    t5_pickle *pickle;
    t5_error err = {0};
    assert_int_equal(t5_pickle_read("", T5_PICKLE_MAX_BYTES + 1, &pickle, &err), T5_ERR_INPUT);
    assert_text(err, "16777217 bytes, expected at most 16777216");
}

/* Deep and long structures of a hostile pickle need no more than memory in its proportion. */
static void deep(void **state) {
    (void)state;
    enum { N = 1 << 20 };
    static const char *const units[] = {"(", "N", "}", ")", "\x85", "N\x85", "NN\x86", "K\1"};
    char *bytes = malloc(N + 2);
    assert_non_null(bytes);
    for (size_t u = 0; u < COUNT_OF(units); u++) {
        size_t n = strlen(units[u]);
        t5_error err = {0};
        bytes[0] = 'N';
        for (size_t i = 1; i <= N; i++)
            bytes[i] = units[u][(i - 1) % n];
        bytes[N + 1] = '.';
        assert_int_equal(read_copy(bytes, N + 2, &err), T5_ERR_INPUT);
    }
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused), cmocka_unit_test(huge),       cmocka_unit_test(deep),
        cmocka_unit_test(damaged), cmocka_unit_test(state_dict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
