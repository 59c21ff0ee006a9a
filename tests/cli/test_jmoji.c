/* `t5mpi plan` on the published experiment plan (configs/jmoji_v3.cfg), with a directory of the
 * real model's shape. What is known of sonoisa/t5-base-japanese is that it is a T5 v1.0 of base
 * size with 222 million parameters, ReLU and tied embeddings; base size is 12 + 12 layers of width
 * 768 with 12 heads of 64 and 3072 inside (Raffel et al. 2019, arXiv 1910.10683, table 2 and
 * section 2.1), and T5Config's defaults in Transformers are 32,128 rows of the embedding and 32
 * buckets. Its values here are a hole in the file: a plan looks at headers only. Its tokeniser here
 * has 4,000 pieces, so labels do not make the matrix larger, as they do with the real one's 32,100
 * tokens. */
#include "cli/program.h"
#include <ctype.h>
#include <fcntl.h>
#include <stdbool.h>

enum { VOCAB = 32128, D_MODEL = 768, INNER = 12 * 64, HEADS = 12, D_FF = 3072, LAYERS = 12 };
enum { BUCKETS = 32 };

static const char model_config[] =
    "{\"architectures\": [\"T5ForConditionalGeneration\"], \"model_type\": \"t5\",\n"
    " \"vocab_size\": 32128, \"d_model\": 768, \"d_kv\": 64, \"d_ff\": 3072, \"num_heads\": 12,\n"
    " \"num_layers\": 12, \"num_decoder_layers\": 12, \"relative_attention_num_buckets\": 32,\n"
    " \"feed_forward_proj\": \"relu\", \"layer_norm_epsilon\": 1e-06, \"dropout_rate\": 0.1,\n"
    " \"is_encoder_decoder\": true, \"initializer_factor\": 1.0, \"n_positions\": 512,\n"
    " \"pad_token_id\": 0, \"eos_token_id\": 1, \"decoder_start_token_id\": 0}\n";

/* A safetensors header while it is written. */
typedef struct header {
    char text[1 << 17];
    size_t n;
    int64_t elements;
} header;

/* cols 0: a vector */
static void tensor(header *h, int rows, int cols, const char *name) {
    char shape[32];
    int64_t begin = 4 * h->elements;
    h->elements += (int64_t)rows * (cols ? cols : 1);
    snprintf(shape, sizeof shape, cols ? "%d,%d" : "%d", rows, cols);
    h->n += (size_t)snprintf(
        h->text + h->n, sizeof h->text - h->n,
        "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%lld,%lld]}",
        h->n ? "," : "{", name, shape, (long long)begin, (long long)(4 * h->elements));
    assert_true(h->n < sizeof h->text - 16);
}

static void block_tensor(header *h, int rows, int cols, const char *stack, int block, int layer,
                         const char *name) {
    char full[128];
    snprintf(full, sizeof full, "%s.block.%d.layer.%d.%s.weight", stack, block, layer, name);
    tensor(h, rows, cols, full);
}

static void attention(header *h, const char *stack, int block, int layer, const char *kind) {
    static const char *const parts[] = {"q", "k", "v", "o"};
    for (int i = 0; i < 4; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.%s", kind, parts[i]);
        block_tensor(h, i < 3 ? INNER : D_MODEL, i < 3 ? D_MODEL : INNER, stack, block, layer,
                     name);
    }
    block_tensor(h, D_MODEL, 0, stack, block, layer, "layer_norm");
}

static void stack_tensors(header *h, const char *stack, bool cross) {
    char name[64];
    block_tensor(h, BUCKETS, HEADS, stack, 0, 0, "SelfAttention.relative_attention_bias");
    for (int block = 0; block < LAYERS; block++) {
        int last = cross ? 2 : 1;
        attention(h, stack, block, 0, "SelfAttention");
        if (cross)
            attention(h, stack, block, 1, "EncDecAttention");
        block_tensor(h, D_FF, D_MODEL, stack, block, last, "DenseReluDense.wi");
        block_tensor(h, D_MODEL, D_FF, stack, block, last, "DenseReluDense.wo");
        block_tensor(h, D_MODEL, 0, stack, block, last, "layer_norm");
    }
    snprintf(name, sizeof name, "%s.final_layer_norm.weight", stack);
    tensor(h, D_MODEL, 0, name);
}

/* Returns the number of parameters. */
static int64_t write_weights(const char *path) {
    header *h = calloc(1, sizeof *h);
    assert_non_null(h);
    tensor(h, VOCAB, D_MODEL, "shared.weight");
    stack_tensors(h, "encoder", false);
    stack_tensors(h, "decoder", true);
    h->text[h->n++] = '}';
    while (h->n % 8)
        h->text[h->n++] = ' ';
    unsigned char length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)((uint64_t)h->n >> (8 * i));
    int64_t elements = h->elements;
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, length, 8), 8);
    assert_int_equal(write(file, h->text, h->n), (ssize_t)h->n);
    assert_int_equal(ftruncate(file, (off_t)(8 + h->n) + 4 * elements), 0);
    assert_int_equal(close(file), 0);
    free(h);
    return elements;
}

static int64_t n_params;

/* The folder looks like one in which everything is filled in. */
static int prepare(void **state) {
    if (make_folder(state))
        return -1;
    run_result r = run("mkdir models && cp -rL %s/tests/data/tokenizers/japanese "
                       "models/t5-base-japanese && cp %s/configs/jmoji_v3.cfg . && "
                       "cp %s/configs/demo/v3like.jsonl v3.jsonl",
                       T5MPI_SOURCE_DIR, T5MPI_SOURCE_DIR, T5MPI_SOURCE_DIR);
    int status = r.status;
    free(r.output);
    write_text("models/t5-base-japanese/config.json", model_config);
    n_params = write_weights("models/t5-base-japanese/model.safetensors");
    return status;
}

static void what_is_not_filled_in_is_named(void **state) {
    (void)state;
    static const struct {
        const char *how, *undo, *expected;
    } cases[] = {
        {"mv models none", "mv none models", "models/t5-base-japanese/config.json"},
        {"mv v3.jsonl none", "mv none v3.jsonl", "v3.jsonl"},
        {"truncate -s -4 models/t5-base-japanese/model.safetensors",
         "truncate -s +4 models/t5-base-japanese/model.safetensors",
         "decoder.final_layer_norm.weight"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run_result r = run("%s && %s plan jmoji_v3.cfg", cases[i].how, T5MPI);
        expect_status(cases[i].how, &r, 2);
        expect_text(cases[i].how, &r, cases[i].expected);
        free(r.output);
        r = run("%s", cases[i].undo);
        expect_status(cases[i].undo, &r, 0);
        free(r.output);
    }
}

/* Runs of white space become one space. */
static void squeeze(char *text) {
    char *to = text;
    for (const char *from = text; *from; from++)
        if (!isspace((unsigned char)*from) || (to > text && to[-1] != ' '))
            *to++ = isspace((unsigned char)*from) ? ' ' : *from;
    *to = '\0';
}

/* What this process and the commands that it waited for have read, in bytes; -1: not known. */
static long long bytes_read(void) {
    long long n = -1;
    FILE *f = fopen("/proc/self/io", "r");
    if (f && fscanf(f, "rchar: %lld", &n) != 1)
        n = -1;
    if (f)
        fclose(f);
    return n;
}

static void expect(const run_result *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void expect(const run_result *r, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    expect_text("plan", r, text);
}

/* A trial's part of the plan begins with its number and name and ends where the next one's begins.
 */
static void expect_trials(const run_result *r) {
    static const struct {
        const char *name, *head, *rows, *then;
    } trials[] = {
        {"1 v3_baseline", "learning rate 0.0003 all cross entropy, smoothing 0.1,",
         "rows 5000: 4000 train, 500 validation, 500 test; 250 steps an epoch", NULL},
        {"2 v3_lr1e-4", "learning rate 0.0001 all cross entropy, smoothing 0.1,",
         "rows 5000: 4000 train, 500 validation, 500 test; 250 steps an epoch",
         "then: improved -> v3_lr1e-4_top100, otherwise -> v3_top100"},
        {"3 v3_top100", "learning rate 0.0003 Top-100 cross entropy, smoothing 0.1,",
         "rows 2187: 1749 train, 219 validation, 219 test; 110 steps an epoch",
         "then: improved -> v3_lr1e-4_top100, otherwise -> v3_focal"},
        {"4 v3_lr1e-4_top100", "learning rate 0.0001 Top-100 cross entropy, smoothing 0.1,",
         "rows 2187: 1749 train, 219 validation, 219 test; 110 steps an epoch", NULL},
        {"5 v3_focal", "learning rate 0.0003 all focal, gamma 2, alpha 1,",
         "rows 5000: 4000 train, 500 validation, 500 test; 250 steps an epoch", NULL},
    };
    enum { N = sizeof trials / sizeof *trials };
    char text[256], *part[N + 1] = {0};
    for (int t = 0; t < N; t++) {
        snprintf(text, sizeof text, " %s %s", trials[t].name, trials[t].head);
        part[t] = strstr(t > 0 ? part[t - 1] + 1 : r->output, text);
        if (!part[t])
            fail_msg("expected \"%s\", behind the trials before it, in:\n%s", text, r->output);
    }
    for (int t = N; t-- > 0;) { /* from the last on, as this cuts the text */
        if (!strstr(part[t], trials[t].rows) ||
            (trials[t].then ? !strstr(part[t], trials[t].then) : !!strstr(part[t], "then:")))
            fail_msg("expected \"%s\" and \"%s\" in:\n%s", trials[t].rows,
                     trials[t].then ? trials[t].then : "(no then)", part[t]);
        *part[t] = '\0';
    }
}

static void expect_plan(run_result *r, const char *model) {
    expect_status("plan", r, 0);
    squeeze(r->output);
    expect(r, "5000 rows, 785 distinct labels, 13737 occurrences");
    expect(r, "plan 5 trials on 1 group of 1 rank");
    expect(r, "drawn (temperature 1, top-k 50, top-p 0.95), repetition penalty 1.2, any token");
    expect(r, "%s: %.2f million parameters, vocabulary %d", model, (double)n_params / 1e6, VOCAB);
    /* weights, gradients and two moments; a batch of rows that are all as long as allowed */
    expect(r, "memory a rank: %.1f GiB for weights, gradients and moments",
           4 * 4 * (double)n_params / (1 << 30));
    expect(r, "for a pass over %d tokens", 16 * (128 + 32));
    expect(r, "training at most 50 epochs of batches of 16 rows, fp32");
    expect_trials(r);
    free(r->output);
}

static void the_plan_where_everything_is_filled_in(void **state) {
    (void)state;
    assert_in_range(n_params, 222000000, 222999999);
    run_result r = run("%s plan jmoji_v3.cfg", T5MPI);
    expect_plan(&r, "models/t5-base-japanese");
}

static void the_plan_with_paths_of_the_command_line(void **state) {
    (void)state;
    run_result r = run("%s plan %s/configs/jmoji_v3.cfg --set \"model.path=$PWD/models/"
                       "t5-base-japanese\" --set \"data.path=$PWD/v3.jsonl\" --output out",
                       T5MPI, T5MPI_SOURCE_DIR);
    expect_plan(&r, "models/t5-base-japanese");
    assert_int_equal(access("out", F_OK), -1);
}

/* The values are 890 MB; nothing of them is needed. */
static void the_weights_are_not_read(void **state) {
    (void)state;
    enum { SOME = 50000000 };
    long long before = bytes_read();
    run_result r = run("head -c %d models/t5-base-japanese/model.safetensors > /dev/null", SOME);
    expect_status("head", &r, 0);
    free(r.output);
    if (before < 0 || bytes_read() - before < SOME) {
        print_message("skipped: /proc does not say what commands have read\n");
        skip();
    }
    before = bytes_read();
    r = run("%s plan jmoji_v3.cfg", T5MPI);
    expect_status("plan", &r, 0);
    free(r.output);
    assert_true(bytes_read() - before < SOME);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_filled_in_is_named),
        cmocka_unit_test(the_plan_where_everything_is_filled_in),
        cmocka_unit_test(the_plan_with_paths_of_the_command_line),
        cmocka_unit_test(the_weights_are_not_read),
    };
    return cmocka_run_group_tests(tests, prepare, remove_folder);
}
