/* t5bench: how near a training step comes to what its matrix products and its optimiser's memory
 * traffic cost on this machine at the least, both measured in the same process. See README.md
 * beside this file. */
#include "bench.h"

#include "model/model.h"
#include "run/input.h"
#include <getopt.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct options {
    bool base, bf16, tf32, cuda, profile, evaluate, dump;
    int threads, steps, rows, rounds, tokens;
    int side;         /* of the yardstick's matrices; 0: what suits the device */
    const char *data; /* folder of the data set */
} options;

typedef struct measured {
    double floor,
        step;     /* seconds, of a round's mean step; floor: filled in when the peaks are known */
    double flops; /* of a round's mean step */
} measured;

typedef struct bench {
    options opt;
    t5_shape shape;
    t5_device *dev;
    t5_model *model;
    bench_workload work;
    bench_yardstick *yardstick;
    measured *rounds;
    int64_t step;      /* optimiser steps so far */
    size_t grown, all; /* bytes that the model and its first steps added to the process at most, and
                          the process then */
} bench;

/* --- the step --- */

/* What the trainer does for a batch. A loss that is no number would be timed as well as any other,
 * hence the check. */
static t5_status train_step(bench *b, const t5_batch *batch, t5_error *err) {
    const t5_loss_settings loss = {.smoothing = 0.1F, .alpha = 1};
    const t5_optim optim = {.lr = 1e-4F,
                            .beta1 = 0.9F,
                            .beta2 = 0.999F,
                            .eps = 1e-8F,
                            .weight_decay = 0.01F,
                            .clip_norm = 1,
                            .step = b->step + 1};
    const t5_input in = t5_input_of(batch);
    double norm = 0, sum = 0;
    t5_model_set_dropout(b->model, 0.1F, 42, (uint32_t)b->step);
    t5_status status = t5_model_backward(b->model, &in, &loss, 1 / (float)in.n_dec, true, err);
    if (status == T5_OK)
        status = t5_model_update(b->model, &optim, &norm, err);
    if (status == T5_OK)
        status = t5_model_loss_sum(b->model, &sum, err);
    if (status == T5_OK && !(isfinite(norm) && isfinite(sum)))
        status = t5_fail(err, T5_ERR_NUMERIC, "the loss is no number after %lld steps",
                         (long long)b->step);
    b->step++;
    return status;
}

static t5_status run_round(bench *b, int round, t5_error *err) {
    const int n = b->opt.steps;
    const t5_batch *batches = b->work.batches + (size_t)(round * n);
    measured *m = &b->rounds[round];
    const double begin = bench_now();
    for (int i = 0; i < n; i++) {
        const t5_status status = train_step(b, &batches[i], err);
        if (status != T5_OK)
            return status;
    }
    m->step = (bench_now() - begin) / n;
    for (int i = 0; i < n; i++) {
        const t5_input in = t5_input_of(&batches[i]);
        m->flops += t5_shape_step_flops(&b->shape, &in) / n;
    }
    return T5_OK;
}

/* --- memory --- */

static t5_status make_model(bench *b, t5_error *err) {
    t5_status status =
        t5_model_create(b->dev, &b->shape, b->opt.bf16, !b->opt.evaluate, &b->model, err);
    if (status == T5_OK)
        status = t5_model_init_random(b->model, 42, err);
    return status;
}

/* The model and some steps, the largest batch among them, before anything else takes memory. */
static t5_status warm_up(bench *b, t5_error *err) {
    const size_t before = bench_process_memory("VmRSS:");
    t5_status status = make_model(b, err);
    if (status == T5_OK)
        status = train_step(b, &b->work.batches[b->work.largest], err);
    for (int i = 0; i < b->opt.steps && status == T5_OK; i++)
        status = train_step(b, &b->work.batches[b->opt.rounds * b->opt.steps + i], err);
    b->all = bench_process_memory("VmHWM:");
    b->grown = b->all - before;
    return status;
}

/* --- the report --- */

static int by_ratio(const void *pa, const void *pb) {
    const measured *a = pa, *b = pb;
    const double ra = a->floor / a->step, rb = b->floor / b->step;
    return (ra > rb) - (ra < rb);
}

static double optimiser_bytes(const bench *b) {
    /* AdamW reads weight, gradient and both moments and writes all but the gradient, and the
     * bfloat16 copy; the norm for clipping reads the gradient once more. */
    return (28.0 + (b->opt.bf16 ? 2 : 0) + 4) * (double)t5_shape_params(&b->shape);
}

static const char *precision_name(const options *o) {
    return o->bf16 ? "bf16" : o->tf32 ? "tf32" : "fp32";
}

static void print_memory(const bench *b) {
    const t5_batch *most = &b->work.batches[b->work.largest];
    const t5_memory_need need =
        t5_model_memory(&b->shape, b->opt.bf16, true, most->n_enc, most->n_dec, most->n_seq);
    const double least = (double)(need.arenas + need.activations);
    if (b->dev->host_memory)
        printf("  memory              %9.1f MB the process grew by\n"
               "  memory / need       %9.3f (need: without work)\n",
               1e-6 * (double)b->grown, (double)b->grown / least);
    printf("  memory needed       %9.1f MB: weights, gradients, moments %.1f MB, saved activations "
           "%.1f MB; and work %.1f MB\n",
           1e-6 * least, 1e-6 * (double)need.arenas, 1e-6 * (double)need.activations,
           1e-6 * (double)need.work);
    printf("  process             %9.1f MB in all\n", 1e-6 * (double)b->all);
}

static void print_report(bench *b) {
    const options *o = &b->opt;
    const double peak = bench_yardstick_flops(b->yardstick);
    const double bandwidth = bench_yardstick_bytes(b->yardstick);
    const double update = optimiser_bytes(b) / bandwidth;
    for (int i = 0; i < o->rounds; i++)
        b->rounds[i].floor = b->rounds[i].flops / peak + update;
    qsort(b->rounds, (size_t)o->rounds, sizeof *b->rounds, by_ratio);
    const measured *low = &b->rounds[0], *mid = &b->rounds[o->rounds / 2],
                   *high = &b->rounds[o->rounds - 1];
    printf("T5-%s, %s, %d rows a batch, %d thread%s, %d rounds of %d steps\n%s\n",
           o->base ? "base" : "small", precision_name(o), o->rows, o->threads,
           o->threads == 1 ? "" : "s", o->rounds, o->steps, b->dev->info);
    printf("  matrix product peak %9.1f GFLOP/s\n", 1e-9 * peak);
    printf("  copy bandwidth      %9.1f GB/s, read and written\n", 1e-9 * bandwidth);
    printf("  floor               %9.2f ms = %.2f ms for %.2f GFLOP + %.2f ms for %.1f MB\n",
           1e3 * mid->floor, 1e3 * mid->flops / peak, 1e-9 * mid->flops, 1e3 * update,
           1e-6 * optimiser_bytes(b));
    printf("  step                %9.2f ms, %.1f rows/s\n", 1e3 * mid->step, o->rows / mid->step);
    printf("  floor / step        %9.3f (median; rounds %.3f to %.3f)\n", mid->floor / mid->step,
           low->floor / low->step, high->floor / high->step);
    print_memory(b);
    if (o->profile) {
        double step = 0;
        for (int i = 0; i < o->rounds; i++)
            step += b->rounds[i].step / o->rounds;
        bench_profile_print(o->rounds * o->steps, step);
    }
}

/* --- the run --- */

static t5_shape shape_of(bool base) {
    t5_shape s = {.vocab = 32128,
                  .d_model = 512,
                  .d_kv = 64,
                  .d_ff = 2048,
                  .heads = 8,
                  .enc_layers = 6,
                  .dec_layers = 6,
                  .buckets = 32,
                  .max_distance = 128,
                  .act = T5_ACTIVATION_RELU,
                  .tied = true,
                  .eps = 1e-6F,
                  .pad_id = 0,
                  .eos_id = 1,
                  .start_id = 0};
    if (base) {
        s.d_model = 768;
        s.d_ff = 3072;
        s.heads = s.enc_layers = s.dec_layers = 12;
    }
    return s;
}

/* Yardsticks and steps take turns, so that a machine that slows down slows both. */
static t5_status run_rounds(bench *b, t5_error *err) {
    t5_status status = bench_yardstick_create(b->dev, b->opt.threads, b->opt.bf16, b->opt.side,
                                              &b->yardstick, err);
    for (int i = 0; i < b->opt.rounds && status == T5_OK; i++) {
        if ((status = bench_yardstick_measure(b->yardstick, err)) != T5_OK)
            break;
        if (b->opt.profile)
            bench_profile_start(b->dev);
        status = run_round(b, i, err);
        if (b->opt.profile)
            bench_profile_stop(b->dev);
    }
    return status == T5_OK ? bench_yardstick_measure(b->yardstick, err) : status;
}

/* Generation instead of training. */
static t5_status evaluate(bench *b, t5_error *err) {
    const options *o = &b->opt;
    const bench_generation g = {
        .rounds = o->rounds, .batches = o->steps, .rows = o->rows, .tokens = o->tokens};
    const t5_status status = make_model(b, err);
    if (status != T5_OK)
        return status;
    printf("T5-%s, %s, greedy generation of %d tokens a row, %d rows a batch, %d thread%s, %d "
           "rounds of %d batches\n%s\n",
           o->base ? "base" : "small", precision_name(o), o->tokens, o->rows, o->threads,
           o->threads == 1 ? "" : "s", o->rounds, o->steps, b->dev->info);
    return bench_generate(b->model, &b->work, &g, err);
}

static t5_status open_device(bench *b, t5_error *err) {
    const options *o = &b->opt;
    if (o->tf32 && !o->cuda)
        return t5_fail(err, T5_ERR_INPUT, "--precision tf32 is for --device cuda");
    const t5_status status = o->cuda ? t5_device_open_cuda(0, o->tf32, &b->dev, err)
                                     : t5_device_open_cpu(o->threads, &b->dev, err);
    if (status == T5_OK && o->cuda && o->bf16 && !b->dev->has_bf16)
        return t5_fail(err, T5_ERR_INPUT, "%s has no bfloat16", b->dev->info);
    return status;
}

static t5_status run(bench *b, t5_error *err) {
    const int batches = (b->opt.rounds + 1) * b->opt.steps; /* one more round to warm up */
    t5_status status = T5_OK;
    b->shape = shape_of(b->opt.base);
    b->rounds = calloc((size_t)b->opt.rounds, sizeof *b->rounds);
    if (!b->rounds) {
        status = t5_fail(err, T5_ERR_MEMORY, "out of memory");
        goto done;
    }
    if ((status = bench_workload_make(b->opt.data, batches, b->opt.rows, &b->work, err)) != T5_OK)
        goto done;
    if (b->opt.dump) {
        status = bench_workload_print(&b->work, stdout, err);
        goto done;
    }
    if ((status = open_device(b, err)) != T5_OK)
        goto done;
    if (b->opt.evaluate) {
        status = evaluate(b, err);
        goto done;
    }
    if ((status = warm_up(b, err)) != T5_OK || (status = run_rounds(b, err)) != T5_OK)
        goto done;
    print_report(b);
done:
    bench_yardstick_destroy(b->yardstick);
    t5_model_destroy(b->model);
    t5_device_close(b->dev);
    bench_workload_free(&b->work);
    free(b->rounds);
    return status;
}

/* --- the command line --- */

static void usage(FILE *out) {
    fputs(
        "usage: t5bench [--device cpu|cuda] [--size small|base] [--precision fp32|tf32|bf16]\n"
        "               [--threads N] [--rows N] [--steps N] [--rounds N] [--side N] [--data DIR]\n"
        "               [--profile]\n"
        "       t5bench --evaluate [--tokens N] [the same, but no --profile]\n"
        "       t5bench --dump [--rows N] [--steps N] [--rounds N]\n"
        "N is at least 1. Defaults: cpu, small, fp32, the cores it may use, 16 rows, 8 steps, 7 "
        "rounds, 32 tokens.\n"
        "--side: of the matrices whose product is the peak. --data: v3like.jsonl and spiece.model "
        "are there.\n",
        out);
}

static int own_cores(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

/* What the option with the letter c sets. */
static int *number_of(options *o, int c) {
    return c == 't'   ? &o->threads
           : c == 'r' ? &o->rows
           : c == 'n' ? &o->steps
           : c == 'k' ? &o->tokens
           : c == 'i' ? &o->side
                      : &o->rounds;
}

/* An option with a word. */
static bool take_word(options *o, int c, const char *word) {
    static const char *const words[] = {"s small", "s base", "p fp32", "p tf32",
                                        "p bf16",  "v cpu",  "v cuda"};
    const char key[] = {(char)c, ' ', 0};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strncmp(words[i], key, 2) == 0 && strcmp(words[i] + 2, word) == 0) {
            o->base = c == 's' ? word[0] == 'b' : o->base;
            o->bf16 = c == 'p' ? word[0] == 'b' : o->bf16;
            o->tf32 = c == 'p' ? word[0] == 't' : o->tf32;
            o->cuda = c == 'v' ? word[1] == 'u' : o->cuda;
            return true;
        }
    return false;
}

/* 1: go on; 0: help was printed; -1: wrong. */
static int parse(int argc, char **argv, options *o) {
    static const struct option known[] = {{"size", required_argument, NULL, 's'},
                                          {"precision", required_argument, NULL, 'p'},
                                          {"threads", required_argument, NULL, 't'},
                                          {"rows", required_argument, NULL, 'r'},
                                          {"steps", required_argument, NULL, 'n'},
                                          {"rounds", required_argument, NULL, 'o'},
                                          {"profile", no_argument, NULL, 'f'},
                                          {"evaluate", no_argument, NULL, 'e'},
                                          {"dump", no_argument, NULL, 'd'},
                                          {"tokens", required_argument, NULL, 'k'},
                                          {"device", required_argument, NULL, 'v'},
                                          {"side", required_argument, NULL, 'i'},
                                          {"data", required_argument, NULL, 'D'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    int c;
    *o = (options){.threads = own_cores(),
                   .steps = 8,
                   .rows = 16,
                   .rounds = 7,
                   .tokens = 32,
                   .data = T5MPI_SOURCE_DIR "/configs/demo"};
    while ((c = getopt_long(argc, argv, "h", known, NULL)) != -1) {
        const int n = optarg ? atoi(optarg) : 0;
        if (c == 'h')
            return usage(stdout), 0;
        if (strchr("spv", c) && take_word(o, c, optarg))
            continue;
        if (c == 'D')
            o->data = optarg;
        else if (c == 'f')
            o->profile = true;
        else if (c == 'e')
            o->evaluate = true;
        else if (c == 'd')
            o->dump = true;
        else if (strchr("trnoki", c) && n >= 1 && n <= 16384)
            *number_of(o, c) = n;
        else
            return usage(stderr), -1;
    }
    if (optind != argc)
        return usage(stderr), -1;
    return 1;
}

int main(int argc, char **argv) {
    bench b = {0};
    t5_error err = {0};
    const int go = parse(argc, argv, &b.opt);
    if (go <= 0)
        return go < 0 ? 2 : 0;
    if (run(&b, &err) != T5_OK) {
        fprintf(stderr, "t5bench: %s\n", err.text);
        return 1;
    }
    return 0;
}
