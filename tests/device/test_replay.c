/* Replay: the same as running the piece, however often, whatever happens in between. Backends that
 * do not keep pieces just run them; what is counted differs. */
#include "device/conformance.h"

enum { N = 96, D = 40, VOCAB = 50, NUMBERS = N * D };

/* A piece of a program of several operations, among them products and ones with scratch memory:
 * out = dropout(norm(x W)), grad and sum of its loss, p a step of AdamW. */
typedef struct piece {
    t5_device *dev;
    t5_mat x, w, y, h, logits, dlogits, dh, dy, p, m, v;
    float *d_w, *d_rstd, *d_dw, *d_scale, *d_rate;
    int32_t *d_label;
    double *d_sum;
    uint32_t *d_step, *tok;
    t5_dropout drop;
    void *memory[24];
    int n_memory;
} piece;

static void *own(piece *s, void *p) {
    assert_true(s->n_memory < (int)(sizeof s->memory / sizeof *s->memory));
    return s->memory[s->n_memory++] = p;
}

static t5_mat own_matrix(piece *s, int64_t rows, int64_t cols, double scale, uint32_t stream) {
    t5_mat m = matrix(s->dev, T5_F32, rows, cols, cols, scale, stream, NULL);
    own(s, m.p);
    return m;
}

static void piece_create(piece *s, t5_device *dev) {
    *s = (piece){.dev = dev};
    s->x = own_matrix(s, N, D, 1.0, 1), s->w = own_matrix(s, D, D, 0.5, 2);
    s->y = own_matrix(s, N, D, 0.0, 3), s->h = own_matrix(s, N, D, 0.0, 3);
    s->dh = own_matrix(s, N, D, 0.0, 3), s->dy = own_matrix(s, N, D, 0.0, 3);
    s->logits = own_matrix(s, N, VOCAB, 0.0, 3), s->dlogits = own_matrix(s, N, VOCAB, 0.0, 3);
    s->p = own_matrix(s, VOCAB, D, 1.0, 4);
    s->m = own_matrix(s, VOCAB, D, 0.0, 4), s->v = own_matrix(s, VOCAB, D, 0.0, 4);
    s->d_w = own_matrix(s, 1, D, 1.0, 5).p, s->d_rstd = own_matrix(s, 1, N, 0.0, 6).p;
    s->d_dw = own_matrix(s, 1, D, 0.0, 7).p, s->d_scale = own_matrix(s, 1, 1, 1.0, 8).p;
    s->d_rate = own_matrix(s, 1, 3, 0.5, 9).p;
    s->d_label = own(s, device_alloc(dev, N * sizeof *s->d_label));
    s->d_sum = own(s, device_alloc(dev, sizeof *s->d_sum));
    s->d_step = own(s, device_alloc(dev, sizeof *s->d_step));
    s->drop = dropout(dev, 0.3f, 17, N, &s->tok);
    s->drop.d_step = s->d_step;
}

static void piece_destroy(piece *s) {
    for (int i = 0; i < s->n_memory; i++)
        s->dev->ops->free(s->dev, s->memory[i]);
    dropout_free(s->dev, s->drop, s->tok);
}

static void queue_piece(void *arg) {
    piece *s = arg;
    t5_device *dev = s->dev;
    const t5_device_ops *ops = dev->ops;
    const t5_mat none = {0};
    const t5_dropout no = {0};
    ops->matmul(dev, false, s->x, true, s->w, 1, 0, s->y);
    ops->norm_forward(dev, s->y, none, no, none, s->d_w, 1e-6f, s->h, s->d_rstd, s->drop);
    ops->matmul(dev, false, s->h, true, s->p, 1, 0, s->logits);
    ops->zero(dev, s->d_sum, sizeof *s->d_sum);
    const t5_loss_args loss = {.n = N,
                               .vocab = VOCAB,
                               .logits = s->logits,
                               .d_label = s->d_label,
                               .d_scale = s->d_scale,
                               .d_sum = s->d_sum,
                               .dlogits = s->dlogits};
    ops->loss(dev, &loss);
    ops->matmul(dev, false, s->dlogits, false, s->p, 1, 0, s->dh);
    ops->norm_backward(dev, s->y, s->d_w, s->d_rstd, s->dh, s->drop, false, s->dy, s->d_dw, none,
                       no);
    const t5_adamw_args adamw = {.n = VOCAB * D,
                                 .d_param = s->p.p,
                                 .d_m = s->m.p,
                                 .d_v = s->v.p,
                                 .d_grad = s->dy.p,
                                 .d_rate = s->d_rate,
                                 .beta1 = 0.9f,
                                 .beta2 = 0.99f,
                                 .eps = 1e-6f};
    ops->adamw(dev, &adamw);
}

/* What changes from run to run. */
static void refresh(piece *s, uint32_t round) {
    float x[NUMBERS], rate[3] = {0.01f / (float)(round + 1), 0.1f, 0.01f * (float)(round + 1)};
    float scale = 1.0f + (float)round;
    int32_t label[N];
    for (int i = 0; i < NUMBERS; i++)
        x[i] = (float)noise(100 + round, i);
    for (int i = 0; i < N; i++)
        label[i] = (int32_t)((uint32_t)i * 7 + round) % (VOCAB + 1) - 1; /* padding among them */
    t5_device *dev = s->dev;
    dev->ops->to_device(dev, s->x.p, x, sizeof x);
    dev->ops->to_device(dev, s->d_rate, rate, sizeof rate);
    dev->ops->to_device(dev, s->d_scale, &scale, sizeof scale);
    dev->ops->to_device(dev, s->d_label, label, sizeof label);
    dev->ops->to_device(dev, s->d_step, &round, sizeof round);
}

static void assert_same(piece *a, piece *b) {
    t5_device *dev = a->dev;
    double sums[2];
    assert_same_bits(dev, "parameters", a->p, b->p);
    assert_same_bits(dev, "gradient", a->dy, b->dy);
    assert_same_bits(dev, "dlogits", a->dlogits, b->dlogits);
    host_read(dev, &sums[0], a->d_sum, sizeof *sums);
    host_read(dev, &sums[1], b->d_sum, sizeof *sums);
    assert_true(sums[0] == sums[1] && isfinite(sums[0]) && sums[0] != 0.0);
}

static void run_round(piece *replayed, t5_replay **kept, piece *plain, uint32_t round) {
    t5_device *dev = plain->dev;
    refresh(replayed, round), refresh(plain, round);
    dev->ops->replay(dev, kept, queue_piece, replayed);
    queue_piece(plain);
    assert_same(replayed, plain);
}

/* Memory of a backend's own that kernels are given: scratch memory, here more than before ... */
static void move_scratch(t5_device *dev, int64_t rows) {
    t5_mat x = matrix(dev, T5_F32, rows, 64, 64, 1.0, 1, NULL);
    t5_mat dx = matrix(dev, T5_F32, rows, 64, 64, 0.0, 1, NULL);
    t5_mat w = matrix(dev, T5_F32, 1, 64, 64, 1.0, 2, NULL);
    t5_mat rstd = matrix(dev, T5_F32, 1, rows, rows, 1.0, 3, NULL);
    dev->ops->norm_backward(dev, x, w.p, rstd.p, x, (t5_dropout){0}, false, dx, w.p, (t5_mat){0},
                            (t5_dropout){0});
    dev->ops->free(dev, x.p), dev->ops->free(dev, dx.p);
    dev->ops->free(dev, w.p), dev->ops->free(dev, rstd.p);
}

/* ... and relative position buckets, farther than before. */
static void move_buckets(t5_device *dev) {
    const int32_t start[2] = {0, 1}, one = 1;
    t5_mat x = matrix(dev, T5_F32, 1, 16, 16, 1.0, 1, NULL);
    t5_mat out = matrix(dev, T5_F32, 1, 16, 16, 1.0, 2, NULL);
    t5_mat table = matrix(dev, T5_F32, 8, 1, 1, 1.0, 3, NULL);
    int32_t *d_start = device_copy(dev, start, sizeof start);
    int32_t *d_len = device_copy(dev, &one, sizeof one);
    const t5_attention a = {.n_seq = 1,
                            .heads = 1,
                            .d_kv = 16,
                            .n_q = 1,
                            .max_q = 1,
                            .max_k = 1,
                            .d_q_start = d_start,
                            .d_k_start = d_start,
                            .d_k_len = d_len,
                            .q_offset = 2000,
                            .q = x,
                            .k = x,
                            .v = x,
                            .d_bias_table = table.p,
                            .buckets = 8,
                            .max_distance = 20};
    dev->ops->attention_forward(dev, &a, out, NULL);
    dev->ops->free(dev, x.p), dev->ops->free(dev, out.p), dev->ops->free(dev, table.p);
    dev->ops->free(dev, d_start), dev->ops->free(dev, d_len);
}

static void test_again_and_again(t5_device *dev) {
    piece kept, plain;
    t5_replay *replay = NULL;
    piece_create(&kept, dev), piece_create(&plain, dev);
    for (uint32_t round = 0; round < 6; round++)
        run_round(&kept, &replay, &plain, round);
    assert_int_equal(dev->captures, dev->replays ? 1 : 0);
    assert_int_equal(dev->launches, dev->replays ? 5 : 0);
    assert_int_equal(dev->given_up, 0);
    dev->ops->replay_free(dev, replay);
    dev->ops->replay_free(dev, NULL);
    piece_destroy(&kept), piece_destroy(&plain);
}

static void test_moved_memory(t5_device *dev) {
    piece kept, plain;
    t5_replay *replay = NULL;
    piece_create(&kept, dev), piece_create(&plain, dev);
    for (uint32_t round = 0; round < 9; round++) {
        run_round(&kept, &replay, &plain, round);
        if (round == 2)
            move_scratch(dev, 1000);
        if (round == 5)
            move_buckets(dev);
    }
    assert_int_equal(dev->captures, dev->replays ? 3 : 0); /* an ordinary run before each */
    assert_int_equal(dev->launches, dev->replays ? 6 : 0);
    dev->ops->replay_free(dev, replay);
    piece_destroy(&kept), piece_destroy(&plain);
}

/* Two pieces, one within the other's rounds; and one that is a piece of another. */
static void test_several(t5_device *dev) {
    piece a, b, plain;
    t5_replay *replay_a = NULL, *replay_b = NULL;
    piece_create(&a, dev), piece_create(&b, dev), piece_create(&plain, dev);
    for (uint32_t round = 0; round < 4; round++) {
        run_round(&a, &replay_a, &plain, round);
        refresh(&b, round);
        dev->ops->replay(dev, &replay_b, queue_piece, &b);
        assert_same(&b, &plain);
    }
    assert_int_equal(dev->captures, dev->replays ? 2 : 0);
    dev->ops->replay_free(dev, replay_a);
    run_round(&b, &replay_b, &plain, 4);
    dev->ops->replay_free(dev, replay_b);
    piece_destroy(&a), piece_destroy(&b), piece_destroy(&plain);
}

/* Pieces that cannot be kept: they wait, bring memory, or move some. */
typedef struct spoilt {
    piece *piece;
    int how;
    float number;
} spoilt;

static void queue_spoilt(void *arg) {
    spoilt *s = arg;
    t5_device *dev = s->piece->dev;
    t5_error err = {0};
    void *d_p = NULL;
    const float number = 3.0f;
    queue_piece(s->piece);
    if (s->how == 0)
        (void)dev->ops->sync(dev, &err);
    if (s->how == 1 && dev->ops->alloc(dev, 64, &d_p, &err) == T5_OK)
        dev->ops->free(dev, d_p);
    if (s->how == 2)
        dev->ops->to_device(dev, s->piece->d_scale, &number, sizeof number);
    if (s->how == 3)
        (void)dev->ops->to_host(dev, &s->number, s->piece->d_scale, sizeof s->number, &err);
}

static void test_given_up(t5_device *dev) {
    for (int how = 0; how < 4; how++) {
        piece kept, plain;
        spoilt s = {.piece = &kept, .how = how};
        t5_replay *replay = NULL;
        const int64_t before = dev->given_up;
        piece_create(&kept, dev), piece_create(&plain, dev);
        for (uint32_t round = 0; round < 4; round++) {
            refresh(&kept, round), refresh(&plain, round);
            dev->ops->replay(dev, &replay, queue_spoilt, &s);
            queue_piece(&plain);
            assert_same(&kept, &plain);
            if (how == 3)
                assert_true(s.number == 1.0f + (float)round);
        }
        assert_int_equal(dev->given_up - before, dev->replays ? 1 : 0);
        dev->ops->replay_free(dev, replay);
        piece_destroy(&kept), piece_destroy(&plain);
    }
    assert_int_equal(dev->launches, 0);
}

static void queue_wrong(void *arg) {
    piece *s = arg;
    t5_mat tight = s->y;
    tight.ld = 1; /* rows that overlap: no product */
    s->dev->ops->matmul(s->dev, false, s->x, true, s->w, 1, 0, tight);
}

/* A piece that fails says so at the next wait, and the device goes on. */
static void test_failure(t5_device *dev) {
    piece s, plain;
    t5_replay *replay = NULL, *other = NULL;
    t5_error err = {0};
    piece_create(&s, dev), piece_create(&plain, dev);
    for (int i = 0; i < 3; i++) {
        dev->ops->replay(dev, &replay, queue_wrong, &s);
        dev->ops->replay(dev, &other, queue_piece, &s); /* does nothing, as any operation now */
        assert_int_equal(dev->ops->sync(dev, &err), T5_ERR_DEVICE);
    }
    for (uint32_t round = 0; round < 3; round++)
        run_round(&s, &other, &plain, round);
    dev->ops->replay_free(dev, replay), dev->ops->replay_free(dev, other);
    piece_destroy(&s), piece_destroy(&plain);
}

int main(void) {
    static const conformance_test tests[] = {
        {"pieces that cannot be kept", test_given_up},
        {"a piece that fails", test_failure},
        {"again and again", test_again_and_again},
        {"memory that moves", test_moved_memory},
        {"several pieces", test_several},
    };
    return conformance_main(tests, (int)(sizeof tests / sizeof *tests));
}
