/* config.json of a Hugging Face model: the input is the file. */
#include "fuzz/fuzz.h"
#include "io/hf_config.h"

static void check_id(const t5_hf_config *c, int id) {
    fuzz_check(id >= 0 && id < c->vocab_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    t5_hf_config c;
    t5_error err = {0};
    t5_status status = t5_hf_config_parse("config.json", (const char *)data, size, &c, &err);
    fuzz_check_error(status, &err);
    if (status)
        return 0;
    fuzz_check(c.vocab_size > 1 && c.d_model > 0 && c.d_kv > 0 && c.d_ff > 0 && c.num_heads > 0);
    fuzz_check(c.num_layers > 0 && c.num_decoder_layers > 0);
    fuzz_check(c.relative_buckets >= 4 && c.relative_max_distance > c.relative_buckets / 2);
    fuzz_check(c.tied || !c.scaled_output);
    fuzz_check(c.layer_norm_epsilon > 0 && c.dropout_rate >= 0 && c.dropout_rate < 1);
    check_id(&c, c.pad_id);
    check_id(&c, c.eos_id);
    check_id(&c, c.start_id);
    return 0;
}
