#include "bench.h"

#include "base/rng.h"
#include "io/file.h"
#include "io/jsonl.h"
#include <stdlib.h>

enum { PATH_SIZE = 4096 };

static t5_status append_row(void *user, const char *const *values, const size_t *lengths,
                            t5_error *err) {
    const t5_str input = {values[0], lengths[0]}, target = {values[1], lengths[1]};
    return t5_rows_append(user, input, target, err);
}

static t5_status read_tokenizer(const char *folder, t5_tokenizer **tok, t5_error *err) {
    char path[PATH_SIZE];
    void *model = NULL;
    size_t bytes = 0;
    snprintf(path, sizeof path, "%s/spiece.model", folder);
    t5_status status = t5_file_read(path, &model, &bytes, err);
    if (status == T5_OK)
        status = t5_tokenizer_create(model, bytes, tok, err);
    free(model);
    return status;
}

/* The training split of the data set as token ids, by the program's own way of reading it. */
static t5_status read_shard(const char *folder, int32_t *start_id, t5_shard **shard,
                            t5_error *err) {
    char path[PATH_SIZE];
    const t5_jsonl_options json = {.keys = {"sns_text", "emoji_string", NULL}};
    const t5_dataset_options options = {
        .split = {0.8, 0.1, 0.1}, .seed = 42, .max_input = 128, .max_target = 32};
    t5_jsonl_report report;
    t5_rows *rows = NULL;
    t5_tokenizer *tok = NULL;
    t5_dataset *set = NULL;
    snprintf(path, sizeof path, "%s/v3like.jsonl", folder);
    t5_status status = t5_rows_create(&rows, err);
    if (status != T5_OK)
        goto done;
    if ((status = t5_jsonl_read(path, &json, append_row, rows, &report, err)) != T5_OK)
        goto done;
    if ((status = read_tokenizer(folder, &tok, err)) != T5_OK)
        goto done;
    if ((status = t5_dataset_create(rows, tok, &options, &set, err)) != T5_OK)
        goto done;
    *start_id = t5_tokenizer_pad(tok);
    status = t5_dataset_shard(set, 0, T5_TRAIN, 0, 1, shard, err);
done:
    t5_dataset_destroy(set);
    t5_tokenizer_destroy(tok);
    t5_rows_destroy(rows);
    return status;
}

static t5_status fill(t5_batch *batch, const t5_shard *shard, int32_t start_id, int64_t first,
                      int rows, t5_error *err) {
    t5_batch_init(batch);
    for (int i = 0; i < rows; i++) {
        const uint64_t place = (uint64_t)(first + i), n = (uint64_t)shard->n;
        const int64_t r = (int64_t)t5_shuffle_at(42, (uint32_t)(place / n), n, place % n);
        const int64_t in = shard->input_start[r], target = shard->target_start[r];
        const t5_status status = t5_batch_append(
            batch, shard->input + in, (int)(shard->input_start[r + 1] - in), shard->target + target,
            (int)(shard->target_start[r + 1] - target), start_id, (uint32_t)r, err);
        if (status != T5_OK)
            return status;
    }
    return T5_OK;
}

t5_status bench_workload_make(const char *folder, int n, int rows, bench_workload *work,
                              t5_error *err) {
    t5_shard *shard = NULL;
    int32_t start_id = 0;
    *work = (bench_workload){0};
    t5_status status = read_shard(folder, &start_id, &shard, err);
    if (status != T5_OK)
        goto done;
    work->batches = calloc((size_t)n, sizeof *work->batches);
    if (!work->batches) {
        status = t5_fail(err, T5_ERR_MEMORY, "out of memory for %d batches", n);
        goto done;
    }
    for (work->n = 0; work->n < n && status == T5_OK; work->n++)
        status = fill(&work->batches[work->n], shard, start_id, (int64_t)work->n * rows, rows, err);
    for (int i = 1; i < work->n; i++) {
        const t5_batch *b = &work->batches[i], *most = &work->batches[work->largest];
        if (b->n_enc + b->n_dec > most->n_enc + most->n_dec)
            work->largest = i;
    }
done:
    t5_shard_destroy(shard);
    return status;
}

void bench_workload_free(bench_workload *work) {
    for (int i = 0; i < work->n; i++)
        t5_batch_free(&work->batches[i]);
    free(work->batches);
    *work = (bench_workload){0};
}

static void print_ids(const char *key, const int32_t *ids, int n, FILE *out) {
    fprintf(out, "\"%s\": [", key);
    for (int i = 0; i < n; i++)
        fprintf(out, i > 0 ? ", %d" : "%d", ids[i]);
    fputc(']', out);
}

t5_status bench_workload_print(const bench_workload *work, FILE *out, t5_error *err) {
    for (int i = 0; i < work->n; i++) {
        const t5_batch *b = &work->batches[i];
        for (int s = 0; s < b->n_seq; s++) {
            const int32_t *enc = b->enc_start + s, *dec = b->dec_start + s;
            fputc('{', out);
            print_ids("input_ids", b->enc_ids + enc[0], enc[1] - enc[0], out);
            fputs(", ", out);
            print_ids("labels", b->labels + dec[0], dec[1] - dec[0], out);
            fputs("}\n", out);
        }
    }
    return fflush(out) == 0 && !ferror(out) ? T5_OK
                                            : t5_fail(err, T5_ERR_IO, "cannot write the rows");
}
