/* safetensors files: what is wrong with one and the message that names it; what is odd and fine;
 * files cut short and with changed bytes; every half and every bfloat16. */
#include "io/safetensors.h"
#include "tests/io/weights_check.h"
#include <math.h>

#define FILE_NAME "edited/model.safetensors"

/* A file of a length, a header and `data` bytes of zeros. */
static void write_safetensors(uint64_t length, const char *header, size_t data) {
    char bytes[4096] = {0};
    size_t n = strlen(header);
    assert_true(8 + n + data <= sizeof bytes);
    for (int i = 0; i < 8; i++)
        bytes[i] = (char)(length >> (8 * i));
    memcpy(bytes + 8, header, n);
    write_file(FILE_NAME, bytes, 8 + n + data);
}

#define T(name, dtype, shape, offsets) \
    "\"" name "\": {\"dtype\": \"" dtype "\", \"shape\": " shape ", \"data_offsets\": " offsets "}"

static const struct {
    const char *header;
    size_t data;
    const char *text;
} bad[] = {
    {"", 0, ":1: not the JSON"},
    {"{", 0, ":1: not the JSON"},
    {"[]", 0, "the header: found an array, expected a JSON object"},
    {"12", 0, "the header: found an integer, expected a JSON object"},
    {"{\"a\xff\": 1}", 0, "not the JSON"},
    {"{} {}", 0, "end of file expected"},
    {"{" T("a", "F32", "[2]", "[0, 8]") ", " T("a", "F32", "[2]", "[8, 16]") "}", 16,
     "duplicate object key"},
    {"{" T("a", "F32", "[99999999999999999999]", "[0, 8]") "}", 8, "too big integer"},
    {"{\"a\": 1}", 0, "tensor a: found an integer, expected an object"},
    {"{\"a\": {}}", 0, "tensor a: dtype is nothing, expected a string"},
    {"{\"a\": {\"dtype\": 3}}", 0, "tensor a: dtype is an integer, expected a string"},
    {"{" T("a", "F64", "[1]", "[0, 8]") "}", 8, "tensor a: dtype F64, expected F32, F16 or BF16"},
    {"{" T("a", "f32", "[1]", "[0, 4]") "}", 4, "tensor a: dtype f32, expected F32"},
    {"{" T("a", "", "[1]", "[0, 4]") "}", 4, "tensor a: dtype , expected F32"},
    {"{\"a\": {\"dtype\": \"F32\"}}", 0, "tensor a: shape is nothing, expected an array"},
    {"{" T("a", "F32", "2", "[0, 8]") "}", 8, "tensor a: shape is an integer, expected an array"},
    {"{" T("a", "F32", "[\"2\"]", "[0, 8]") "}", 8, "tensor a: shape has a string"},
    {"{" T("a", "F32", "[2.0]", "[0, 8]") "}", 8, "tensor a: shape has a real number"},
    {"{" T("a", "F32", "[-2]", "[0, 8]") "}", 8, "tensor a: shape has -2"},
    {"{" T("a", "F32", "[1,1,1,1,1]", "[0, 4]") "}", 4,
     "tensor a: shape has 5 elements, expected at most 4"},
    {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2]}}", 8,
     "tensor a: data_offsets is nothing, expected an array"},
    {"{" T("a", "F32", "[2]", "[0]") "}", 8, "tensor a: data_offsets has 1 elements, expected 2"},
    {"{" T("a", "F32", "[2]", "[0, 8, 8]") "}", 8, "data_offsets has 3 elements, expected at most"},
    {"{" T("a", "F32", "[2]", "[0, true]") "}", 8, "tensor a: data_offsets has true"},
    {"{" T("a", "F32", "[2]", "[-8, 0]") "}", 8, "tensor a: data_offsets has -8"},
    {"{" T("a", "F32", "[2]", "[8, 0]") "}", 8, "tensor a: data_offsets [8, 0] are outside"},
    {"{" T("a", "F32", "[2]", "[0, 8]") "}", 7,
     "tensor a: data_offsets [0, 8] are outside the file's 7 bytes of data"},
    {"{" T("a", "F32", "[2]", "[0, 9223372036854775807]") "}", 8, "are outside the file's 8 bytes"},
    {"{" T("a", "F32", "[2]", "[0, 4]") "}", 4,
     "tensor a: data_offsets [0, 4] do not fit its shape of 2 elements of 4 bytes"},
    {"{" T("a", "F32", "[1]", "[0, 5]") "}", 5, "tensor a: data_offsets [0, 5] do not fit"},
    {"{" T("a", "F16", "[2]", "[0, 8]") "}", 8, "do not fit its shape of 2 elements of 2 bytes"},
    {"{" T("a", "F32", "[0]", "[0, 8]") "}", 8, "do not fit its shape of 0 elements"},
    {"{" T("a", "F32", "[4611686018427387904, 4]", "[0, 0]") "}", 0,
     "tensor a: its size is beyond 64 bits"},
    {"{" T("a", "F32", "[65536, 65536, 65536, 65536]", "[0, 0]") "}", 0, "beyond 64 bits"},
    {"{" T("a", "F32", "[9223372036854775807]", "[0, 8]") "}", 8, "beyond 64 bits"},
    {"{" T("", "F32", "[2]", "[0, 8]") "}", 8, "the name of a tensor is empty"},
    {"{" T("a\\nb", "F64", "[2]", "[0, 8]") "}", 8, "tensor a?b: dtype F64"},
    {"{" T("a", "F32", "[2]", "[0, 8]") "}", 9, "1 bytes behind the last tensor"},
    {"{}", 3, "3 bytes behind the last tensor"},
    {"{" T("a", "F32", "[2]", "[8, 16]") "}", 16,
     "tensor a: data_offsets begin at 8, with a hole before it"},
    {"{" T("a", "F32", "[2]", "[0, 8]") "," T("b", "F32", "[1]", "[4, 8]") "}", 8,
     "tensor b: data_offsets begin at 4, inside another tensor"},
    {"{" T("a", "F32", "[2]", "[0, 8]") "," T("b", "F32", "[2]", "[0, 8]") "}", 8,
     "data_offsets begin at 0, inside another tensor"},
    {"{" T("a", "F32", "[2]", "[0, 8]") "," T("b", "F32", "[2]", "[12, 20]") "}", 20,
     "tensor b: data_offsets begin at 12, with a hole before it"},
};

static void bad_headers(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        t5_error err = {0};
        write_safetensors(strlen(bad[i].header), bad[i].header, bad[i].data);
        if (read_everything("edited", &err) != T5_ERR_INPUT)
            fail_msg("accepted: %s", bad[i].header);
        assert_memory_equal(err.text, FILE_NAME ": ", strlen(FILE_NAME) + 2);
        assert_text(err, bad[i].text);
    }
}

static void bad_lengths(void **state) {
    (void)state;
    static const struct {
        uint64_t length;
        const char *text;
    } lengths[] = {
        {UINT64_MAX, "a header of 18446744073709551615 bytes, expected at most 100000000"},
        {UINT64_C(1) << 63, "expected at most 100000000"},
        {100000001, "a header of 100000001 bytes, expected at most 100000000"},
        {100000000, "a header of 100000000 bytes in a file of 10: cut short"},
        {3, "a header of 3 bytes in a file of 10: cut short"},
        {1, "not the JSON"},
        {0, "not the JSON"},
    };
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        t5_error err = {0};
        write_safetensors(lengths[i].length, "{}", 0);
        assert_int_equal(read_everything("edited", &err), T5_ERR_INPUT);
        assert_text(err, lengths[i].text);
    }
    t5_error err = {0};
    write_file(FILE_NAME, "\2\0\0\0\0\0\0", 7);
    assert_int_equal(read_everything("edited", &err), T5_ERR_INPUT);
    assert_text(err, "7 bytes are no safetensors file");
}

static void too_many_and_too_long(void **state) {
    (void)state;
    t5_weights_list list = {0};
    t5_weights_entry *entry;
    t5_error err = {0};
    char name[T5_WEIGHTS_MAX_NAME + 2];
    const int64_t dim = 1;
    memset(name, 'x', sizeof name);
    assert_int_equal(
        t5_weights_list_add(&list, name, T5_WEIGHTS_MAX_NAME + 1, 1, &dim, &entry, &err),
        T5_ERR_INPUT);
    assert_text(err, "a name of 1001 bytes, expected at most 1000");
    assert_int_equal(t5_weights_list_add(&list, name, T5_WEIGHTS_MAX_NAME, 1, &dim, &entry, NULL),
                     T5_OK);
    for (int i = 1; i < T5_WEIGHTS_MAX_TENSORS; i++)
        assert_int_equal(t5_weights_list_add(&list, "x", 1, 1, &dim, &entry, NULL), T5_OK);
    err = (t5_error){0};
    assert_int_equal(t5_weights_list_add(&list, "x", 1, 1, &dim, &entry, &err), T5_ERR_INPUT);
    assert_text(err, "more than 65536 tensors");
    t5_weights_list_free(&list);
}

/* What the reference implementation accepts, too. */
static void odd_and_fine(void **state) {
    (void)state;
    static const struct {
        const char *header;
        size_t data;
        int size;
    } fine[] = {
        {"{}", 0, 0},
        {"{\"__metadata__\": {\"format\": \"pt\"}}", 0, 0},
        {"  {" T("a", "F32", "[2]", "[0, 8]") "}    \n ", 8, 1},
        {"{" T("b", "F32", "[2]", "[8, 16]") "," T("a", "F32", "[2]", "[0, 8]") "}", 16, 2},
        {"{" T("b", "F32", "[0]", "[8, 8]") "," T("a", "F32", "[2]", "[0, 8]") "," T(
             "c", "F16", "[3, 0]", "[0, 0]") "}",
         8, 3},
        {"{" T("a", "F32", "[0, 9223372036854775807, 9223372036854775807]", "[0, 0]") "}", 0, 1},
        {"{" T("a", "F32", "[]", "[0, 4]") "}", 4, 1},
        {"{\"a\": {\"dtype\": \"BF16\", \"shape\": [1], \"data_offsets\": [0, 2], \"x\": 1}}", 2,
         1},
    };
    for (size_t i = 0; i < COUNT_OF(fine); i++) {
        t5_weights *w;
        t5_error err = {0};
        write_safetensors(strlen(fine[i].header), fine[i].header, fine[i].data);
        if (t5_weights_open("edited", &w, &err))
            fail_msg("%s: %s", fine[i].header, err.text);
        assert_int_equal(t5_weights_size(w), fine[i].size);
        t5_weights_close(w);
        assert_int_equal(read_everything("edited", &err), T5_OK);
    }
}

static void values(void **state) {
    (void)state;
    check_numbered(FIXTURE("safetensors"));
}

static void damaged(void **state) {
    (void)state;
    damage_file(FIXTURE("safetensors/model.safetensors"), FILE_NAME);
}

/* The value of a 16-bit pattern by the definition of its format. */
static double expected_value(unsigned pattern, int exponent_bits) {
    int mantissa_bits = 15 - exponent_bits, bias = (1 << (exponent_bits - 1)) - 1;
    int exponent = (int)(pattern >> mantissa_bits) & ((1 << exponent_bits) - 1);
    int mantissa = (int)pattern & ((1 << mantissa_bits) - 1);
    double value;
    if (exponent == (1 << exponent_bits) - 1)
        value = mantissa ? (double)NAN : (double)INFINITY;
    else if (exponent == 0)
        value = ldexp(mantissa, 1 - bias - mantissa_bits);
    else
        value = ldexp(mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits);
    return pattern & 0x8000 ? -value : value;
}

static void every_pattern(const char *dtype, int exponent_bits) {
    enum { N = 1 << 16 };
    char header[200];
    t5_weights *w;
    t5_error err = {0};
    int n =
        snprintf(header, sizeof header, "{" T("a", "%s", "[%d]", "[0, %d]") "}", dtype, N, 2 * N);
    unsigned char *bytes = calloc(1, 8 + (size_t)n + 2 * N);
    float *got = malloc(N * sizeof *got);
    assert_true(bytes && got);
    bytes[0] = (unsigned char)n;
    memcpy(bytes + 8, header, (size_t)n);
    for (int i = 0; i < N; i++) {
        bytes[8 + n + 2 * i] = (unsigned char)i;
        bytes[8 + n + 2 * i + 1] = (unsigned char)(i >> 8);
    }
    write_file(FILE_NAME, bytes, 8 + (size_t)n + 2 * N);
    assert_int_equal(t5_weights_open("edited", &w, &err), T5_OK);
    assert_int_equal(t5_weights_read(w, t5_weights_at(w, 0), 0, N, got, &err), T5_OK);
    for (int i = 0; i < N; i++) {
        double value = expected_value((unsigned)i, exponent_bits);
        if (isnan(value) ? !isnan(got[i]) : (double)got[i] != value)
            fail_msg("%s 0x%04x: %g, expected %g", dtype, (unsigned)i, (double)got[i], value);
        assert_true(!signbit(got[i]) == (i < 0x8000));
    }
    t5_weights_close(w);
    free(got);
    free(bytes);
}

static void every_half(void **state) {
    (void)state;
    every_pattern("F16", 5);
}

static void every_bfloat16(void **state) {
    (void)state;
    every_pattern("BF16", 8);
}

static int setup(void **state) {
    return scratch_make(state) || mkdir("edited", 0777) ? -1 : 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_headers),  cmocka_unit_test(bad_lengths),
        cmocka_unit_test(damaged),      cmocka_unit_test(too_many_and_too_long),
        cmocka_unit_test(odd_and_fine), cmocka_unit_test(values),
        cmocka_unit_test(every_half),   cmocka_unit_test(every_bfloat16),
    };
    return cmocka_run_group_tests(tests, setup, scratch_remove);
}
