#include "bench.h"

#include "base/rng.h"
#include "io/file.h"
#include "io/jsonl.h"
#include <stdlib.h>
#include <string.h>

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

/* The data set's rows in the order of shuffled epochs. */
typedef struct source {
    const t5_shard *shard;
    int64_t next;
} source;

static int64_t next_row(source *from) {
    const uint64_t place = (uint64_t)from->next++, n = (uint64_t)from->shard->n;
    return (int64_t)t5_shuffle_at(42, (uint32_t)(place / n), n, place % n);
}

/* A row of the workload: rows of the data set one behind the other, with the last one's end token
 * only. */
typedef struct joined {
    int32_t *ids;
    int n, cap;
} joined;

static t5_status join(joined *to, const int32_t *ids, int64_t n, t5_error *err) {
    if (to->n > 0)
        to->n--;
    if (to->n + n > to->cap) {
        const int cap = 2 * (to->n + (int)n);
        int32_t *larger = realloc(to->ids, (size_t)cap * sizeof *larger);
        if (!larger)
            return t5_fail(err, T5_ERR_MEMORY, "out of memory for a row");
        to->ids = larger;
        to->cap = cap;
    }
    memcpy(to->ids + to->n, ids, (size_t)n * sizeof *ids);
    to->n += (int)n;
    return T5_OK;
}

/* Cut to `n` tokens, the end token last. */
static void cut(joined *row, int n) {
    if (n == 0 || row->n <= n)
        return;
    row->ids[n - 1] = row->ids[row->n - 1];
    row->n = n;
}

static t5_status append(const bench_options *o, source *from, joined side[2], int32_t start_id,
                        t5_batch *batch, t5_error *err) {
    const t5_shard *shard = from->shard;
    int64_t first = -1;
    side[0].n = side[1].n = 0;
    for (int i = 0; i < o->join || side[0].n < o->input || side[1].n < o->target; i++) {
        const int64_t r = next_row(from), *in = shard->input_start + r,
                      *target = shard->target_start + r;
        first = first < 0 ? r : first;
        t5_status status = join(&side[0], shard->input + in[0], in[1] - in[0], err);
        if (status == T5_OK)
            status = join(&side[1], shard->target + target[0], target[1] - target[0], err);
        if (status != T5_OK)
            return status;
    }
    cut(&side[0], o->input);
    cut(&side[1], o->target);
    return t5_batch_append(batch, side[0].ids, side[0].n, side[1].ids, side[1].n, start_id,
                           (uint32_t)first, err);
}

static void find_largest(bench_workload *work) {
    for (int i = 1; i < work->n; i++) {
        const t5_batch *b = &work->batches[i], *most = &work->batches[work->largest];
        if (b->n_enc + b->n_dec > most->n_enc + most->n_dec)
            work->largest = i;
    }
}

/* The batches once more, as a data set on the device has them. */
static t5_status list_rows(bench_workload *work, int rows, t5_error *err) {
    int64_t n = 0;
    for (int i = 0; i < work->n; i++)
        n += work->batches[i].n_enc + work->batches[i].n_dec;
    work->ids = malloc((size_t)n * sizeof *work->ids);
    work->rows = calloc((size_t)work->n * (size_t)rows, sizeof *work->rows);
    if (!work->ids || !work->rows)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for the rows");
    for (int i = 0; i < work->n * rows; i++) {
        const t5_batch *b = &work->batches[i / rows];
        const int32_t *enc = b->enc_start + i % rows, *dec = b->dec_start + i % rows;
        t5_pack_row *r = &work->rows[i];
        *r = (t5_pack_row){.at = work->n_ids,
                           .n_input = enc[1] - enc[0],
                           .n_target = dec[1] - dec[0],
                           .row = b->row[i % rows]};
        memcpy(work->ids + r->at, b->enc_ids + enc[0], (size_t)r->n_input * sizeof *work->ids);
        memcpy(work->ids + r->at + r->n_input, b->labels + dec[0],
               (size_t)r->n_target * sizeof *work->ids);
        work->n_ids += r->n_input + r->n_target;
    }
    return T5_OK;
}

t5_status bench_workload_make(const bench_options *o, int n, bench_workload *work, t5_error *err) {
    t5_shard *shard = NULL;
    joined side[2] = {{0}, {0}};
    int32_t start_id = 0;
    *work = (bench_workload){0};
    t5_status status = read_shard(o->data, &start_id, &shard, err);
    if (status != T5_OK)
        goto done;
    source from = {.shard = shard};
    work->batches = calloc((size_t)n, sizeof *work->batches);
    if (!work->batches) {
        status = t5_fail(err, T5_ERR_MEMORY, "out of memory for %d batches", n);
        goto done;
    }
    for (; work->n < n && status == T5_OK; work->n++) {
        t5_batch_init(&work->batches[work->n]);
        for (int i = 0; i < o->rows && status == T5_OK; i++)
            status = append(o, &from, side, start_id, &work->batches[work->n], err);
    }
    find_largest(work);
    if (status == T5_OK)
        status = list_rows(work, o->rows, err);
done:
    free(side[0].ids);
    free(side[1].ids);
    t5_shard_destroy(shard);
    return status;
}

void bench_workload_free(bench_workload *work) {
    for (int i = 0; i < work->n; i++)
        t5_batch_free(&work->batches[i]);
    free(work->batches);
    free(work->rows);
    free(work->ids);
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
