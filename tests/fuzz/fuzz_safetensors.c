/* The header of a safetensors file. The input's first two bytes are the number of bytes of data
 * that follow the header, which is the rest of the input. */
#include "fuzz/fuzz.h"
#include "io/json_file.h"
#include "io/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    t5_weights_list list = {0};
    t5_error err = {0};
    if (size < 2)
        return 0;
    int64_t bytes = data[0] | data[1] << 8, begin = 8 + (int64_t)size - 2, covered = 0;
    t5_status status =
        t5_safetensors_parse((const char *)data + 2, size - 2, bytes, 0, &list, &err);
    t5_json_tame(&err); /* as t5_weights_open does */
    fuzz_check_error(status, &err);
    for (int i = 0; !status && i < list.n; i++) {
        const t5_weights_entry *e = &list.entries[i];
        int64_t length = e->tensor.count * t5_weights_width(e->type);
        fuzz_check(e->member == -1 && e->offset >= begin && length <= bytes);
        fuzz_check(e->offset - begin <= bytes - length);
        fuzz_check(e->tensor.n_dims <= T5_WEIGHTS_MAX_DIMS);
        covered += length;
    }
    fuzz_check(status || covered == bytes);
    t5_weights_list_free(&list);
    return 0;
}
