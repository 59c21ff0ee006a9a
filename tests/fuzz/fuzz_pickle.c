/* data.pkl of a pytorch_model.bin: the input is the pickle. */
#include "fuzz/fuzz.h"
#include "io/json_file.h"
#include "io/pickle.h"

static void check_within(const uint8_t *data, size_t size, const char *text, size_t n) {
    size_t at = (size_t)((const uint8_t *)text - data);
    fuzz_check(at <= size && n <= size - at);
    fuzz_check(t5_utf8_valid(text, n) && !memchr(text, 0, n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    t5_pickle *pickle = NULL;
    t5_error err = {0};
    t5_status status = t5_pickle_read(data, size, &pickle, &err);
    t5_json_tame(&err); /* as t5_weights_open does */
    fuzz_check_error(status, &err);
    fuzz_check((status == T5_OK) == (pickle != NULL));
    for (int i = 0; !status && i < t5_pickle_size(pickle); i++) {
        const t5_pickle_tensor *t = t5_pickle_at(pickle, i);
        check_within(data, size, t->name, t->name_bytes);
        check_within(data, size, t->storage, t->storage_bytes);
        fuzz_check(t->n_dims >= 0 && t->n_dims <= T5_WEIGHTS_MAX_DIMS);
        int64_t count = 1;
        for (int d = 0; d < t->n_dims; d++) {
            fuzz_check(t->dims[d] >= 0);
            count = t->dims[d] ? count : 0;
        }
        for (int d = 0; count && d < t->n_dims; d++)
            fuzz_check(!__builtin_mul_overflow(count, t->dims[d], &count));
        fuzz_check(t->first >= 0 && t->first <= t->storage_count);
        fuzz_check(count <= t->storage_count - t->first);
    }
    t5_pickle_free(pickle);
    return 0;
}
