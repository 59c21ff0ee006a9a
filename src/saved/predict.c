#include "saved/predict.h"
#include "saved/answer.h"
#include "saved/predict_texts.h"
#include "setup/generation.h"
#include "setup/input.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What is the same for all batches. */
typedef struct answerer {
    const t5_saved *saved;
    t5_device *device;
    t5_model *model;
    t5_generate_settings settings;
    char *settings_text; /* JSON, or NULL: answers are plain texts */
    int32_t *ids;        /* (batch size, settings.max_length) */
    int32_t *length;     /* (batch size) */
    float *score;        /* (batch size), or NULL */
    FILE *out;
} answerer;

static t5_status start(answerer *a, const t5_predict_options *o, const t5_decode_spec *decode,
                       t5_saved *saved, FILE *out, t5_error *err) {
    const size_t batch = (size_t)o->batch_size;
    *a = (answerer){.saved = saved, .out = out};
    a->settings = t5_generation_of(decode, saved->allowed);
    a->ids = malloc(batch * (size_t)a->settings.max_length * sizeof *a->ids);
    a->length = malloc(batch * sizeof *a->length);
    if (o->jsonl) {
        a->score = malloc(batch * sizeof *a->score);
        a->settings_text = t5_answer_settings(saved->name, decode, saved->allowed != NULL);
    }
    if (!a->ids || !a->length || (o->jsonl && (!a->score || !a->settings_text)))
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for %d answers", o->batch_size);
    /* float32, so that answers do not depend on the device more than they must */
    const t5_device_wish wish = {
        .use = o->device, .precision = T5_PRECISION_FP32, .threads = o->threads};
    bool bf16;
    if (t5_device_open_alone(&wish, &a->device, &bf16, err) == T5_OK &&
        t5_model_create(a->device, &saved->shape, false, false, &a->model, err) == T5_OK)
        t5_saved_load(saved, a->model, err);
    return err->status;
}

static void stop(answerer *a) {
    t5_model_destroy(a->model);
    t5_device_close(a->device);
    free(a->settings_text);
    free(a->ids);
    free(a->length);
    free(a->score);
}

static t5_status write_answer(const answerer *a, const t5_text *text, t5_error *err) {
    const int length = text->place < 0 ? 0 : a->length[text->place];
    const int32_t *ids =
        a->ids + (int64_t)(text->place < 0 ? 0 : text->place) * a->settings.max_length;
    char *output = NULL;
    if (length > 0 && t5_tokenizer_decode(a->saved->tokenizer, a->saved->labels, ids, length,
                                          &output, err) != T5_OK)
        return err->status;
    t5_answer answer = {.input = text->input,
                        .input_bytes = text->input_bytes,
                        .output = output ? output : "",
                        .answered = text->place >= 0,
                        .cut = text->cut};
    if (answer.answered && a->settings_text) {
        const bool ended = length < a->settings.max_length && ids[length] == a->saved->shape.eos_id;
        answer.score = a->score[text->place];
        answer.tokens = length + ended;
    }
    errno = 0;
    if (a->settings_text)
        t5_answer_write_json(a->out, &answer, a->settings_text);
    else
        t5_answer_write_text(a->out, answer.output);
    free(output);
    return T5_OK;
}

/* After something was written; errno is of that. */
static t5_status check_output(const answerer *a, t5_error *err) {
    if (!ferror(a->out))
        return T5_OK;
    if (errno == EPIPE)
        return t5_fail(err, T5_STOPPED, "nobody reads the answers any more");
    return t5_fail(err, T5_ERR_IO, "the answers cannot be written: %s",
                   errno ? strerror(errno) : "the output is closed");
}

static t5_status answer_batch(const answerer *a, const t5_predict_texts *texts, t5_error *err) {
    const t5_input in = t5_input_of(&texts->batch);
    if (in.n_seq > 0 &&
        t5_generate(a->model, &in, &a->settings, a->ids, a->length, a->score, err) != T5_OK)
        return err->status;
    for (int i = 0; i < texts->n; i++)
        if (write_answer(a, &texts->text[i], err) != T5_OK || check_output(a, err) != T5_OK)
            return err->status;
    errno = 0;
    fflush(a->out);
    return check_output(a, err);
}

/* A line that is wrong ends it, once the texts before it are answered. */
static t5_status answer_all(const answerer *a, t5_predict_texts *texts, t5_error *err) {
    t5_error wrong = {0};
    while (!texts->at_end && wrong.status == T5_OK && err->status == T5_OK) {
        t5_predict_texts_next(texts, fileno(a->out), &wrong);
        if (texts->n > 0)
            answer_batch(a, texts, err);
    }
    if (wrong.status != T5_OK)
        t5_fail(err, wrong.status, "%s", wrong.text);
    return err->status;
}

t5_status t5_predict(const t5_predict_options *o, FILE *out, FILE *notes, t5_error *err) {
    t5_saved *saved = NULL;
    t5_decode_spec decode;
    t5_predict_texts texts = {.fd = -1};
    answerer a = {0};

    if (t5_saved_open(o->model, &saved, err) != T5_OK ||
        t5_predict_decode(o, &saved->decode, &decode, err) != T5_OK ||
        t5_predict_texts_open(o->file, saved, o->batch_size, o->jsonl, &texts, err) != T5_OK ||
        start(&a, o, &decode, saved, out, err) != T5_OK)
        goto done;
    answer_all(&a, &texts, err);
    if (texts.n_cut > 0 && notes && err->status != T5_STOPPED)
        fprintf(notes, "t5mpi: %lld of %lld texts had more than %d tokens and were cut\n",
                (long long)texts.n_cut, (long long)texts.n_read, saved->max_input);
done:
    stop(&a);
    t5_predict_texts_close(&texts);
    t5_saved_close(saved);
    return err->status;
}
