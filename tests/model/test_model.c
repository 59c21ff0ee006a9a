/* A model's life: failing allocations, reading and writing arenas, initial weights. */
#include "model/scene.h"

/* A device whose allocation number `fails_at` (from 0) fails: the CPU's table with one other slot.
 */
typedef struct faulty {
    t5_device_ops ops;
    const t5_device_ops *sound;
    int calls, fails_at;
} faulty;

static faulty fault; /* an operation gets nothing but the device */

static t5_status faulty_alloc(t5_device *dev, size_t bytes, void **d_ptr, t5_error *err) {
    if (fault.calls++ == fault.fails_at)
        return t5_fail(err, T5_ERR_MEMORY, "no %zu bytes", bytes);
    return fault.sound->alloc(dev, bytes, d_ptr, err);
}

static void make_faulty(t5_device *dev, int fails_at) {
    fault = (faulty){.ops = *dev->ops, .sound = dev->ops, .fails_at = fails_at};
    fault.ops.alloc = faulty_alloc;
    dev->ops = &fault.ops;
}

static void failing_creation_leaves_nothing(void **state) {
    (void)state;
    t5_shape shape = scene_shape(false);
    t5_device *dev = NULL;
    t5_error err = {0};
    must(backend_open(&dev, &err), &err);
    int arenas = dev->has_bf16 ? 8 : 7;
    for (int i = 0; i <= arenas; i++) {
        t5_model *model = NULL;
        err = (t5_error){0};
        make_faulty(dev, i);
        t5_status status = t5_model_create(dev, &shape, dev->has_bf16, true, &model, &err);
        dev->ops = fault.sound;
        assert_int_equal(status, i < arenas ? T5_ERR_MEMORY : T5_OK);
        assert_true((model != NULL) == (i == arenas));
        t5_model_destroy(model);
        assert_int_equal(dev->allocated, 0);
    }
    t5_device_close(dev);
}

/* A batch too big for the device is an error of that batch; a smaller one works as before. */
static void failing_work_memory_is_survived(void **state) {
    (void)state;
    scene c;
    t5_error err = {0};
    double before, after;
    int32_t starts[2][N_SEQ + 1];
    scene_open(&c, false, false);
    t5_input part = scene_part(&c, 2, 3, starts);
    must(t5_model_backward(c.model, &part, &PLAIN, 1, true, &err), &err);
    must(t5_model_loss_sum(c.model, &before, &err), &err);
    make_faulty(c.dev, 0);
    assert_int_equal(t5_model_backward(c.model, &c.in, &PLAIN, 1, true, &err), T5_ERR_MEMORY);
    c.dev->ops = fault.sound;
    assert_non_null(strstr(err.text, "30 + 17 tokens"));
    err = (t5_error){0};
    must(t5_model_backward(c.model, &part, &PLAIN, 1, true, &err), &err);
    must(t5_model_loss_sum(c.model, &after, &err), &err);
    assert_true(before == after);
    scene_close(&c);
}

static void bfloat16_needs_the_hardware(void **state) {
    (void)state;
    t5_shape shape = scene_shape(false);
    t5_device *dev = NULL;
    t5_model *model = NULL;
    t5_error err = {0};
    must(backend_open(&dev, &err), &err);
    bool has_bf16 = dev->has_bf16;
    dev->has_bf16 = false;
    assert_int_equal(t5_model_create(dev, &shape, true, false, &model, &err), T5_ERR_DEVICE);
    assert_null(model);
    dev->has_bf16 = has_bf16;
    t5_device_close(dev);
}

static void a_model_for_use_has_weights_only(void **state) {
    (void)state;
    scene c;
    t5_shape shape = scene_shape(true);
    t5_error err = {0};
    t5_model *model = NULL;
    scene_open(&c, true, false);
    must(t5_model_create(c.dev, &shape, false, false, &model, &err), &err);
    assert_non_null(t5_model_arena(model, T5_ARENA_WEIGHT));
    for (int a = T5_ARENA_GRAD; a <= T5_ARENA_V; a++)
        assert_null(t5_model_arena(model, (t5_arena)a));
    scene_weights(model);
    double expected, sum;
    must(t5_model_evaluate(c.model, &c.in, &PLAIN, true, NULL, &err), &err);
    must(t5_model_loss_sum(c.model, &expected, &err), &err);
    must(t5_model_evaluate(model, &c.in, &PLAIN, true, NULL, &err), &err);
    must(t5_model_loss_sum(model, &sum, &err), &err);
    assert_true(sum == expected);
    t5_model_destroy(model);
    t5_model_destroy(NULL);
    scene_close(&c);
}

static void what_is_written_is_read(void **state) {
    (void)state;
    scene c;
    t5_error err = {0};
    scene_open(&c, false, false);
    for (int a = T5_ARENA_WEIGHT; a <= T5_ARENA_V; a++) {
        float *before = scene_read(&c, (t5_arena)a);
        float written[37], got[37];
        for (int i = 0; i < 37; i++)
            written[i] = (float)(a * 1000 + i) + 0.25f;
        must(t5_model_write(c.model, (t5_arena)a, 101, 37, written, &err), &err);
        must(t5_model_read(c.model, (t5_arena)a, 101, 37, got, &err), &err);
        assert_memory_equal(written, got, sizeof got);
        float *after = scene_read(&c, (t5_arena)a);
        assert_memory_equal(before, after, 101 * sizeof *before);
        size_t behind = (size_t)t5_model_n_arena(c.model) - 138;
        assert_memory_equal(before + 138, after + 138, behind * sizeof *before);
        free(before);
        free(after);
    }
    scene_close(&c);
}

/* The operands of bfloat16 products are renewed with the range that is written. */
static void writing_weights_renews_the_copy(void **state) {
    (void)state;
    scene c, d;
    t5_error err = {0};
    double expected, sum;
    scene_open(&c, true, true);
    scene_open(&d, true, true);
    must(t5_model_init_random(d.model, 99, &err), &err);
    must(t5_model_evaluate(d.model, &d.in, &PLAIN, true, NULL, &err), &err);
    must(t5_model_loss_sum(d.model, &expected, &err), &err);
    float *w = scene_read(&d, T5_ARENA_WEIGHT);
    int64_t n = t5_model_n_arena(c.model), cut = 333;
    must(t5_model_write(c.model, T5_ARENA_WEIGHT, 0, cut, w, &err), &err);
    must(t5_model_write(c.model, T5_ARENA_WEIGHT, cut, n - cut, w + cut, &err), &err);
    must(t5_model_evaluate(c.model, &c.in, &PLAIN, true, NULL, &err), &err);
    must(t5_model_loss_sum(c.model, &sum, &err), &err);
    assert_true(sum == expected);
    free(w);
    scene_close(&c);
    scene_close(&d);
}

/* Standard deviation that _init_weights of Transformers' modeling_t5.py gives a parameter. */
static double initial_deviation(const t5_shape *shape, const char *name) {
    double d = shape->d_model;
    if (strstr(name, "layer_norm"))
        return 0;
    if (strcmp(name, "shared.weight") == 0 || strcmp(name, "lm_head.weight") == 0)
        return 1;
    if (strstr(name, "Attention.q"))
        return pow(d * shape->d_kv, -0.5);
    if (strstr(name, "Attention.o"))
        return pow(shape->heads * shape->d_kv, -0.5);
    if (strstr(name, "DenseReluDense.wo"))
        return pow(shape->d_ff, -0.5);
    return pow(d, -0.5); /* k, v, wi, wi_0, wi_1, relative_attention_bias */
}

static void initial_weights_have_their_deviations(void **state) {
    (void)state;
    for (int gated = 0; gated < 2; gated++) {
        t5_shape shape = scene_shape(gated);
        shape.d_model = 48; /* big enough for statistics */
        shape.d_kv = 12;
        shape.d_ff = 96;
        shape.vocab = 500;
        shape.buckets = 32;
        shape.max_distance = 128;
        shape.heads = 6;
        scene c = {0};
        t5_error err = {0};
        must(backend_open(&c.dev, &err), &err);
        must(t5_model_create(c.dev, &shape, false, true, &c.model, &err), &err);
        must(t5_model_init_random(c.model, 42, &err), &err);
        float *w = scene_read(&c, T5_ARENA_WEIGHT);
        for (int i = 0; i < t5_model_n_params(c.model); i++) {
            const t5_param *p = t5_model_param(c.model, i);
            double n = (double)(p->rows * p->cols), sum = 0, squares = 0;
            double deviation = initial_deviation(&shape, p->name);
            double mean = deviation > 0 ? 0 : 1;
            for (int64_t j = p->offset; j < p->offset + p->rows * p->cols; j++) {
                sum += (double)w[j] - mean;
                squares += ((double)w[j] - mean) * ((double)w[j] - mean);
            }
            /* five standard errors of the mean and of the deviation */
            assert_true(fabs(sum / n) <= 5 * deviation / sqrt(n));
            assert_true(fabs(sqrt(squares / n) - deviation) <= 5 * deviation / sqrt(2 * n));
        }
        free(w);
        scene_close(&c);
    }
}

static void initial_weights_depend_on_the_seed_only(void **state) {
    (void)state;
    scene c;
    t5_error err = {0};
    scene_open(&c, false, false);
    float *w[3];
    const uint64_t seeds[] = {1, 2, 1};
    for (int i = 0; i < 3; i++) {
        must(t5_model_init_random(c.model, seeds[i], &err), &err);
        w[i] = scene_read(&c, T5_ARENA_WEIGHT);
    }
    size_t bytes = (size_t)t5_model_n_arena(c.model) * sizeof(float);
    assert_memory_equal(w[0], w[2], bytes);
    assert_memory_not_equal(w[0], w[1], bytes);
    for (int i = 0; i < 3; i++)
        free(w[i]);
    scene_close(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failing_creation_leaves_nothing),
        cmocka_unit_test(failing_work_memory_is_survived),
        cmocka_unit_test(bfloat16_needs_the_hardware),
        cmocka_unit_test(a_model_for_use_has_weights_only),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(writing_weights_renews_the_copy),
        cmocka_unit_test(initial_weights_have_their_deviations),
        cmocka_unit_test(initial_weights_depend_on_the_seed_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
