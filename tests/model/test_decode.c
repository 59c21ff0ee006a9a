/* Generation batch after batch, as an evaluation has it, on a device that may replay steps: held
 * against the CPU's, which runs every step. */
#include "model/generate.h"
#include "model/scene.h"

enum { LENGTH = 12, ROUNDS = 3 };

typedef struct answers {
    int32_t ids[N_SEQ * LENGTH], length[N_SEQ];
    float score[N_SEQ];
} answers;

static t5_generate_settings settings_of(t5_generate_kind kind, float penalty) {
    return (t5_generate_settings){.kind = kind,
                                  .max_length = LENGTH,
                                  .beams = 3,
                                  .temperature = 0.7f,
                                  .top_k = 5,
                                  .top_p = 0.9f,
                                  .repetition_penalty = penalty,
                                  .seed = 11};
}

/* Logits that differ, so that no rounding decides. */
static void sharpen(t5_model *model) {
    t5_error err = {0};
    const int64_t n = t5_model_n_arena(model);
    float *w = malloc((size_t)n * sizeof *w);
    assert_non_null(w);
    must(t5_model_read(model, T5_ARENA_WEIGHT, 0, n, w, &err), &err);
    for (int i = 0; i < t5_model_n_params(model); i++) {
        const t5_param *p = t5_model_param(model, i);
        const int64_t size = p->rows * p->cols;
        if (strstr(p->name, "decoder.final_layer_norm")) {
            t5_rng_normal(3, T5_RNG_INIT, 0, (uint64_t)size, w + p->offset);
            continue;
        }
        const bool wide = strstr(p->name, "EncDecAttention.o") || strstr(p->name, "wo.weight");
        for (int64_t j = 0; wide && j < size; j++)
            w[p->offset + j] *= 2.5f;
    }
    must(t5_model_write(model, T5_ARENA_WEIGHT, 0, n, w, &err), &err);
    free(w);
}

/* The same model on the CPU. */
static t5_model *twin(const scene *c, t5_device **dev) {
    t5_error err = {0};
    t5_model *model = NULL;
    float *w = scene_read(c, T5_ARENA_WEIGHT);
    must(t5_device_open_cpu(1, dev, &err), &err);
    must(t5_model_create(*dev, t5_model_shape(c->model), false, false, &model, &err), &err);
    must(t5_model_write(model, T5_ARENA_WEIGHT, 0, t5_model_n_arena(model), w, &err), &err);
    free(w);
    return model;
}

static void generate(t5_model *model, const t5_input *in, const t5_generate_settings *s,
                     answers *a) {
    t5_error err = {0};
    memset(a, 0, sizeof *a);
    must(t5_generate(model, in, s, a->ids, a->length, a->score, &err), &err);
}

static void assert_same_answers(const answers *got, const answers *want, int n) {
    for (int i = 0; i < n * LENGTH; i++)
        assert_int_equal(got->ids[i], want->ids[i]);
    for (int i = 0; i < n; i++) {
        assert_int_equal(got->length[i], want->length[i]);
        if (!(fabs(got->score[i] - want->score[i]) <= 1e-4))
            fail_msg("score %g, not %g", (double)got->score[i], (double)want->score[i]);
    }
}

/* A scene and its twin whose end token is one with which some of the rows end early. */
static t5_model *open_ending(scene *c, bool gated, const t5_generate_settings *s, t5_device **dev) {
    t5_shape shape = scene_shape(gated);
    for (shape.eos_id = 1; shape.eos_id < shape.vocab; shape.eos_id++) {
        answers a;
        int ended = 0;
        scene_open_shape(c, shape, false);
        sharpen(c->model);
        t5_model *other = twin(c, dev);
        generate(other, &c->in, s, &a);
        for (int row = 0; row < N_SEQ; row++)
            ended += a.length[row] > 0 && a.length[row] < LENGTH;
        if (ended > 0 && ended < N_SEQ)
            return other;
        t5_model_destroy(other);
        t5_device_close(*dev);
        scene_close(c);
    }
    fail_msg("no token ends some of the rows");
    return NULL;
}

/* Parts of the batch in turn: from, to. The largest is not the first. */
static const int parts[][2] = {{1, 3}, {0, 4}, {2, 3}, {1, 4}};
enum { PARTS = sizeof parts / sizeof *parts };

static void check(t5_generate_kind kind, float penalty, bool gated) {
    scene c;
    t5_device *cpu;
    answers first[PARTS];
    const t5_generate_settings s = settings_of(kind, penalty);
    t5_model *other = open_ending(&c, gated, &s, &cpu);
    size_t kept = 0;
    int64_t launches = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < PARTS; i++) {
            int32_t starts[2][N_SEQ + 1];
            answers got, want;
            const t5_input in = scene_part(&c, parts[i][0], parts[i][1], starts);
            generate(c.model, &in, &s, &got);
            generate(other, &in, &s, &want);
            assert_same_answers(&got, &want, in.n_seq);
            if (round == 0)
                first[i] = got;
            else /* to the last bit */
                assert_memory_equal(&got, &first[i], sizeof got);
        }
        if (round == 0)
            kept = c.dev->allocated;
        if (round == ROUNDS - 2)
            launches = c.dev->launches;
    }
    assert_int_equal(c.dev->allocated, kept);
    assert_int_equal(c.dev->given_up, 0);
    if (c.dev->replays) /* in the last round every step comes round again */
        assert_true(c.dev->launches - launches >= PARTS * 2);
    t5_model_destroy(other);
    assert_int_equal(cpu->allocated, 0);
    t5_device_close(cpu);
    scene_close(&c);
}

static void greedy(void **state) {
    (void)state;
    check(T5_GENERATE_GREEDY, 1.0f, false);
    check(T5_GENERATE_GREEDY, 1.5f, true);
}

static void beams(void **state) {
    (void)state;
    check(T5_GENERATE_BEAM, 1.0f, true);
    check(T5_GENERATE_BEAM, 1.5f, false);
}

static void sampling(void **state) {
    (void)state;
    check(T5_GENERATE_SAMPLE, 1.2f, false);
}

/* Settings, weights and restrictions that change between batches. */
static void changes(void **state) {
    (void)state;
    scene c;
    t5_device *cpu;
    scene_open(&c, true, false);
    sharpen(c.model);
    t5_model *other = twin(&c, &cpu);
    uint8_t *allowed = malloc((size_t)t5_model_shape(c.model)->vocab);
    assert_non_null(allowed);
    for (int i = 0; i < 12; i++) {
        const t5_generate_kind kind = i / 3 % 2 ? T5_GENERATE_BEAM : T5_GENERATE_GREEDY;
        t5_generate_settings s = settings_of(kind, 1.0f);
        answers got, want;
        for (int v = 0; v < t5_model_shape(c.model)->vocab; v++)
            allowed[v] = v <= 1 || v % 3 == i % 3;
        s.allowed = i < 9 ? allowed : NULL;
        generate(c.model, &c.in, &s, &got);
        generate(other, &c.in, &s, &want);
        assert_same_answers(&got, &want, N_SEQ);
        if (i == 7) {
            sharpen(c.model);
            sharpen(other);
        }
    }
    free(allowed);
    t5_model_destroy(other);
    t5_device_close(cpu);
    scene_close(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy),
        cmocka_unit_test(beams),
        cmocka_unit_test(sampling),
        cmocka_unit_test(changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
