/* t5bench: how near a training step comes to what its matrix products and its optimiser's memory
 * traffic cost on this machine at the least, both measured in the same process. See README.md
 * beside this file. */
#include "bench.h"

#include "model/step.h"
#include "setup/input.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct measured { /* of a round's mean step */
    double step;          /* seconds */
    double flops, passes; /* operations of the products; bytes of pass_bytes */
    double floor;         /* seconds; filled in when the peaks are known */
} measured;

typedef struct bench {
    bench_options opt;
    t5_shape shape;
    t5_device *dev;
    t5_model *model;
    bench_workload work;
    bench_yardstick *yardstick;
    measured *rounds;
    int64_t step;      /* optimiser steps so far */
    size_t grown, all; /* bytes that the model and its first steps added to the process at most, and
                          the process then */
    size_t on_device;  /* and what they have allocated on the device at most */
    double adamw;      /* seconds of AdamW over all parameters, the best round */
} bench;

/* --- the step --- */

/* Queues what the trainer queues for a batch. */
static t5_status queue_step(bench *b, int batch, t5_error *err) {
    const t5_step step = {.rows = b->work.rows + (size_t)batch * (size_t)b->opt.rows,
                          .n_rows = b->opt.rows,
                          .loss = {.smoothing = 0.1F, .alpha = 1},
                          .scale = 1 / (float)b->work.batches[batch].n_dec,
                          .optim = {.lr = 1e-4F,
                                    .beta1 = 0.9F,
                                    .beta2 = 0.999F,
                                    .eps = 1e-8F,
                                    .weight_decay = 0.01F,
                                    .clip_norm = 1,
                                    .step = b->step + 1}};
    t5_model_set_dropout(b->model, 0.1F, 42, (uint32_t)b->step++);
    return t5_model_step(b->model, &step, err);
}

/* A loss that is no number would be timed as well as any other, hence the check. */
static t5_status wait_for_steps(bench *b, t5_error *err) {
    t5_step_result results[T5_STEPS_PENDING];
    int n = 0;
    t5_status status = t5_model_step_results(b->model, results, &n, err);
    for (int i = 0; i < n && status == T5_OK; i++)
        if (!(isfinite(results[i].loss_sum) && isfinite(results[i].grad_norm)))
            status = t5_fail(err, T5_ERR_NUMERIC, "the loss is no number after %lld steps",
                             (long long)b->step);
    return status;
}

/* Steps over the batches from `first` on, waited for in the end or when no more may be pending. */
static t5_status run_steps(bench *b, int first, int n, t5_error *err) {
    t5_status status = T5_OK;
    for (int i = 0; i < n && status == T5_OK; i++) {
        status = queue_step(b, first + i, err);
        if (status == T5_OK && (i == n - 1 || i % T5_STEPS_PENDING == T5_STEPS_PENDING - 1))
            status = wait_for_steps(b, err);
    }
    return status;
}

/* What a pass forward and backward must move: weights read twice, gradients written, activations
 * written and read. Their reading by AdamW is in optimiser_bytes. */
static double pass_bytes(const bench *b, const t5_batch *batch) {
    const t5_memory_need need =
        t5_model_memory(&b->shape, b->opt.bf16, true, batch->n_enc, batch->n_dec, batch->n_seq);
    const double params = (double)t5_shape_params(&b->shape);
    return (2.0 * (b->opt.bf16 ? 2 : 4) + 4) * params + 2.0 * (double)need.activations;
}

static t5_status run_round(bench *b, int round, t5_error *err) {
    const int n = b->opt.steps;
    const t5_batch *batches = b->work.batches + (size_t)(round * n);
    measured *m = &b->rounds[round];
    const double begin = bench_now();
    const t5_status status = run_steps(b, round * n, n, err);
    if (status != T5_OK)
        return status;
    m->step = (bench_now() - begin) / n;
    for (int i = 0; i < n; i++) {
        const t5_input in = t5_input_of(&batches[i]);
        m->flops += t5_shape_step_flops(&b->shape, &in) / n;
        m->passes += pass_bytes(b, &batches[i]) / n;
    }
    return T5_OK;
}

/* AdamW alone, without the norm; a learning rate of 0 leaves the weights as they are. */
static t5_status time_adamw(bench *b, t5_error *err) {
    const t5_optim still = {.beta1 = 0.9F, .beta2 = 0.999F, .eps = 1e-8F, .step = b->step + 1};
    const int repeats = b->dev->host_memory ? 1 : 8; /* waited for at once */
    const double begin = bench_now();
    t5_status status = T5_OK;
    for (int i = 0; i < repeats && status == T5_OK; i++)
        status = t5_model_update(b->model, &still, NULL, err);
    if (status == T5_OK)
        status = b->dev->ops->sync(b->dev, err);
    const double seconds = (bench_now() - begin) / repeats;
    if (b->adamw == 0 || seconds < b->adamw)
        b->adamw = seconds;
    return status;
}

/* --- memory --- */

static t5_status make_model(bench *b, t5_error *err) {
    t5_status status =
        t5_model_create(b->dev, &b->shape, b->opt.bf16, !b->opt.evaluate, &b->model, err);
    if (status == T5_OK)
        status = t5_model_init_random(b->model, 42, err);
    return status;
}

/* The model and some steps, the largest batch among them, before anything else takes memory. A
 * device that replays has to meet every size before: once to see it, once to keep it. */
static t5_status warm_up(bench *b, t5_error *err) {
    const int timed = b->opt.rounds * b->opt.steps;
    const size_t before = bench_process_memory("VmRSS:");
    t5_status status = make_model(b, err);
    if (status == T5_OK)
        status = t5_model_keep_ids(b->model, b->work.ids, b->work.n_ids, err);
    if (status == T5_OK)
        status = run_steps(b, b->work.largest, 1, err);
    if (status == T5_OK)
        status = run_steps(b, timed, b->opt.steps, err);
    for (int i = 0; b->dev->replays && i < 2 && status == T5_OK; i++)
        status = run_steps(b, 0, timed, err);
    b->on_device = b->dev->peak;
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

/* AdamW reads weight, gradient and both moments and writes all but the gradient, and the bfloat16
 * copy. */
static double adamw_bytes(const bench *b) {
    return (28.0 + (b->opt.bf16 ? 2 : 0)) * (double)t5_shape_params(&b->shape);
}

/* The norm for clipping reads the gradient once more. */
static double optimiser_bytes(const bench *b) {
    return adamw_bytes(b) + 4 * (double)t5_shape_params(&b->shape);
}

static const char *precision_name(const bench_options *o) {
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
    printf("  device peak         %9.1f MB allocated, %.3f of what is needed without work\n",
           1e-6 * (double)b->on_device, (double)b->on_device / least);
}

/* The other floor: with what the passes must move besides. */
static void print_floors(const bench *b, const measured *mid, double peak, double bandwidth) {
    const double passes = mid->passes / bandwidth;
    printf("  floor with passes   %9.2f ms = the floor + %.2f ms for %.1f MB of weights, gradients "
           "and activations\n",
           1e3 * (mid->floor + passes), 1e3 * passes, 1e-6 * mid->passes);
    printf("  that / step         %9.3f\n", (mid->floor + passes) / mid->step);
    printf("  products / peak     %9.3f\n", mid->flops / mid->step / peak);
    printf("  AdamW / copy        %9.3f: %.1f GB/s\n", adamw_bytes(b) / b->adamw / bandwidth,
           1e-9 * adamw_bytes(b) / b->adamw);
}

static void print_report(bench *b) {
    const bench_options *o = &b->opt;
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
    print_floors(b, mid, peak, bandwidth);
    print_memory(b);
    if (o->profile) {
        bench_step whole = {.peak = peak, .bandwidth = bandwidth};
        for (int i = 0; i < o->rounds; i++) {
            whole.seconds += b->rounds[i].step / o->rounds;
            whole.flops += b->rounds[i].flops / o->rounds;
        }
        bench_profile_print(o->rounds * o->steps, &whole);
    }
}

/* --- the run --- */

static t5_shape shape_of(const bench_options *o) {
    t5_shape s = {.vocab = o->vocab,
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
    if (o->base) {
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
        if (status == T5_OK)
            status = time_adamw(b, err);
    }
    return status == T5_OK ? bench_yardstick_measure(b->yardstick, err) : status;
}

/* Generation instead of training. */
static t5_status evaluate(bench *b, t5_error *err) {
    const bench_options *o = &b->opt;
    const bench_generation g = {
        .rounds = o->rounds, .batches = o->steps, .rows = o->rows, .tokens = o->tokens};
    t5_status status = make_model(b, err);
    if (status != T5_OK)
        return status;
    printf("T5-%s, %s, greedy generation of %d tokens a row, %d rows a batch, %d thread%s, %d "
           "rounds of %d batches\n%s\n",
           o->base ? "base" : "small", precision_name(o), o->tokens, o->rows, o->threads,
           o->threads == 1 ? "" : "s", o->rounds, o->steps, b->dev->info);
    status = bench_generate(b->model, &b->work, &g, err);
    printf("  device peak         %9.1f MB allocated\n", 1e-6 * (double)b->dev->peak);
    return status;
}

static t5_status open_device(bench *b, t5_error *err) {
    const bench_options *o = &b->opt;
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
    b->shape = shape_of(&b->opt);
    b->rounds = calloc((size_t)b->opt.rounds, sizeof *b->rounds);
    if (!b->rounds) {
        status = t5_fail(err, T5_ERR_MEMORY, "out of memory");
        goto done;
    }
    if ((status = bench_workload_make(&b->opt, batches, &b->work, err)) != T5_OK)
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

int main(int argc, char **argv) {
    bench b = {0};
    t5_error err = {0};
    const int go = bench_options_parse(argc, argv, &b.opt);
    if (go <= 0)
        return go < 0 ? 2 : 0;
    if (run(&b, &err) != T5_OK) {
        fprintf(stderr, "t5bench: %s\n", err.text);
        return 1;
    }
    return 0;
}
