/* The logits of any model that `t5mpi predict` takes, for comparisons with Transformers
 * (tests/oracle/compare_answers.py). Reads lines of token ids, "5 6 1 | 0 7": the encoder's and the
 * decoder's input; writes float32 (decoder ids, vocabulary) for each line to standard output. */
#include "device/device.h"
#include "saved/saved.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 4096 };

typedef struct ids {
    int32_t id[MOST];
    int n;
} ids;

static char *take(char *text, ids *list) {
    char *end;
    for (list->n = 0; list->n < MOST; list->n++, text = end) {
        list->id[list->n] = (int32_t)strtol(text, &end, 10);
        if (end == text)
            break;
    }
    return text + strspn(text, " |");
}

static t5_status answer(t5_model *model, const ids *enc, const ids *dec, t5_error *err) {
    const int32_t enc_start[2] = {0, enc->n}, dec_start[2] = {0, dec->n};
    const uint32_t row = 0;
    static const int32_t labels[MOST]; /* the loss is nobody's business here */
    t5_input in = {.n_seq = 1,
                   .n_enc = enc->n,
                   .n_dec = dec->n,
                   .max_enc = enc->n,
                   .max_dec = dec->n,
                   .enc_ids = enc->id,
                   .dec_ids = dec->id,
                   .labels = labels,
                   .enc_start = enc_start,
                   .dec_start = dec_start,
                   .row = &row};
    t5_loss_settings loss = {0};
    size_t n = (size_t)dec->n * (size_t)t5_model_shape(model)->vocab;
    float *logits = malloc(n * sizeof *logits);
    if (!logits)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for logits");
    if (t5_model_evaluate(model, &in, &loss, true, logits, err) == T5_OK &&
        fwrite(logits, sizeof *logits, n, stdout) != n)
        t5_fail(err, T5_ERR_IO, "standard output cannot be written");
    free(logits);
    return err->status;
}

int main(int argc, char **argv) {
    t5_error err = {0};
    t5_device *device = NULL;
    t5_saved *saved = NULL;
    t5_model *model = NULL;
    char *line = NULL;
    size_t room = 0;
    static ids enc, dec;

    if (argc != 2) {
        fputs("usage: oracle_logits MODEL < IDS > LOGITS\n", stderr);
        return 2;
    }
    if (t5_device_open_cpu(1, &device, &err) == T5_OK &&
        t5_saved_open(argv[1], &saved, &err) == T5_OK &&
        t5_model_create(device, &saved->shape, false, false, &model, &err) == T5_OK &&
        t5_saved_load(saved, model, &err) == T5_OK)
        while (err.status == T5_OK && getline(&line, &room, stdin) > 0) {
            take(take(line, &enc), &dec);
            answer(model, &enc, &dec, &err);
        }
    if (err.status != T5_OK)
        fprintf(stderr, "oracle_logits: %s\n", err.text);
    free(line);
    t5_model_destroy(model);
    t5_saved_close(saved);
    t5_device_close(device);
    return err.status == T5_OK ? 0 : 1;
}
