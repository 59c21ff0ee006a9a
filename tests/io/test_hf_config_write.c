/* config.json: what cannot be written, and that what is written is read back. */
#include "io/hf_write.h"
#include "tests/io/scratch.h"

#define SIZES                                                                                 \
    .vocab_size = 100, .d_model = 16, .d_kv = 4, .d_ff = 24, .num_heads = 3, .num_layers = 2, \
    .num_decoder_layers = 1, .relative_buckets = 8, .relative_max_distance = 20, .pad_id = 3, \
    .eos_id = 1, .start_id = 4, .layer_norm_epsilon = 1e-6, .dropout_rate = 0.1

static void refused(void **state) {
    (void)state;
    static const struct {
        t5_hf_config config;
        const char *text;
    } rows[] = {
        {{SIZES, .scaled_output = true}, "./config.json: an output that is scaled and not tied"},
        {{SIZES, .family = T5_HF_MT5, .tied = true, .scaled_output = true},
         "model_type \"mt5\" with a scaled output cannot be written"},
        {{SIZES, .bias_every_layer = true},
         "model_type \"t5\" with a relative bias in every layer cannot be written"},
        {{SIZES, .family = T5_HF_UMT5},
         "model_type \"umt5\" with a relative bias in one layer cannot be written"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        t5_error err = {0};
        assert_int_equal(t5_hf_config_write(".", &rows[i].config, &err), T5_ERR_INPUT);
        assert_text(err, rows[i].text);
        assert_int_equal(access("config.json", F_OK), -1);
    }
    const t5_hf_config good = {SIZES};
    t5_error err = {0};
    assert_int_equal(t5_hf_config_write("nowhere", &good, &err), T5_ERR_IO);
    assert_text(err, "nowhere/config.json: cannot be written: No such file or directory");
}

static void written_and_read(void **state) {
    (void)state;
    static const struct {
        t5_hf_config config;
        bool head;
    } rows[] = {
        {{SIZES, .tied = true, .scaled_output = true}, false},
        {{SIZES, .tied = false, .gated_gelu = true}, true},
        {{SIZES, .tied = true, .gated_gelu = true}, true},
        {{SIZES, .family = T5_HF_MT5, .gated_gelu = true}, true},
        {{SIZES, .family = T5_HF_MT5, .tied = true}, true},
        {{SIZES, .family = T5_HF_UMT5, .bias_every_layer = true, .tied = true,
          .scaled_output = true},
         false},
        {{SIZES, .family = T5_HF_UMT5, .bias_every_layer = true}, true},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        t5_hf_config expected = rows[i].config, c;
        assert_int_equal(t5_hf_config_has_head(&expected), rows[i].head);
        assert_int_equal(t5_hf_config_write(".", &expected, NULL), T5_OK);
        assert_int_equal(t5_hf_config_read(".", &c, NULL), T5_OK);
        /* tied and not scaled is written as two equal matrices */
        expected.tied = !rows[i].head;
        assert_true(c.family == expected.family && c.tied == expected.tied &&
                    c.scaled_output == expected.scaled_output &&
                    c.gated_gelu == expected.gated_gelu &&
                    c.bias_every_layer == expected.bias_every_layer);
        assert_true(c.vocab_size == 100 && c.d_model == 16 && c.d_kv == 4 && c.d_ff == 24 &&
                    c.num_heads == 3 && c.num_layers == 2 && c.num_decoder_layers == 1 &&
                    c.relative_buckets == 8 && c.relative_max_distance == 20);
        assert_true(c.pad_id == 3 && c.eos_id == 1 && c.start_id == 4);
        assert_true(c.layer_norm_epsilon == 1e-6 && c.dropout_rate == 0.1);
    }
}

/* Short where that is exact, long where not. */
static void numbers(void **state) {
    (void)state;
    t5_hf_config config = {SIZES}, back;
    char text[2000] = "";
    assert_int_equal(t5_hf_config_write(".", &config, NULL), T5_OK);
    FILE *f = fopen("config.json", "r");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    assert_non_null(strstr(text, "\"dropout_rate\": 0.1,"));
    assert_non_null(strstr(text, "\"layer_norm_epsilon\": 1e-6,"));
    assert_non_null(strstr(text, "\"architectures\": [\n    \"T5ForConditionalGeneration\"\n"));
    assert_true(n > 2 && text[n - 1] == '\n' && text[n - 2] == '}');
    config.dropout_rate = 1.0 / 3;
    assert_int_equal(t5_hf_config_write(".", &config, NULL), T5_OK);
    assert_int_equal(t5_hf_config_read(".", &back, NULL), T5_OK);
    assert_true(back.dropout_rate == 1.0 / 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused),
        cmocka_unit_test(written_and_read),
        cmocka_unit_test(numbers),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
