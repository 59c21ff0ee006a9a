#include "saved/predict_texts.h"
#include "base/text.h"
#include "base/utf8.h"
#include "io/lines_waiting.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static t5_status open_input(const char *path, int *fd, t5_error *err) {
    struct stat info;
    *fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0)
        return t5_fail(err, T5_ERR_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
    if (fstat(*fd, &info) == 0 && S_ISDIR(info.st_mode))
        return t5_fail(err, T5_ERR_INPUT, "%s: is a folder, a file with a text a line was expected",
                       path);
    return T5_OK;
}

t5_status t5_predict_texts_open(const char *path, const t5_saved *saved, int capacity, bool keep,
                                t5_predict_texts *t, t5_error *err) {
    if (!path)
        path = "-";
    *t = (t5_predict_texts){.saved = saved,
                            .name = strcmp(path, "-") == 0 ? "standard input" : path,
                            .keep = keep,
                            .fd = -1,
                            .capacity = capacity};
    t5_batch_init(&t->batch);
    if (open_input(path, &t->fd, err) != T5_OK)
        return err->status;
    t5_lines_init(&t->lines, t->fd, T5_PREDICT_MAX_LINE);
    t->text = calloc((size_t)capacity, sizeof *t->text);
    t->ids = malloc(((size_t)saved->max_input + 1) * sizeof *t->ids);
    if (!t->text || !t->ids)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for %d texts", capacity);
    return T5_OK;
}

static void drop_texts(t5_predict_texts *t) {
    for (int i = 0; i < t->n; i++)
        free(t->text[i].input);
    t->n = 0;
    t5_batch_clear(&t->batch);
}

void t5_predict_texts_close(t5_predict_texts *t) {
    drop_texts(t);
    t5_lines_free(&t->lines);
    t5_batch_free(&t->batch);
    free(t->text);
    free(t->ids);
    if (t->fd > STDIN_FILENO)
        close(t->fd);
    *t = (t5_predict_texts){.fd = -1};
}

static t5_status check_line(const t5_predict_texts *t, t5_str line, bool too_long, t5_error *err) {
    const char *what = NULL;
    if (too_long)
        what = "a line of more than 1 MiB";
    else if (memchr(line.s, 0, line.n))
        what = "a NUL byte";
    else if (!t5_utf8_valid(line.s, line.n))
        what = "not UTF-8";
    return what ? t5_fail(err, T5_ERR_INPUT, "%s:%lld: %s; a text a line was expected, in UTF-8",
                          t->name, (long long)t->lines.number, what)
                : T5_OK;
}

/* Room for one id more than the model takes shows whether the text has to be cut: then what the
 * tokeniser would do with less room is done here, for a long text takes its time. */
static t5_status encode(t5_predict_texts *t, t5_str line, t5_text *text, t5_error *err) {
    const t5_saved *s = t->saved;
    int n = 0;
    t5_status status = t5_tokenizer_encode_with(s->tokenizer, s->n_labels, line, s->max_input + 1,
                                                t->ids, &n, err);
    if (status != T5_OK)
        return t5_error_prefix(err, "%s:%lld", t->name, (long long)t->lines.number);
    text->cut = n > s->max_input;
    if (text->cut) {
        n = s->max_input - 1;
        if (n == 0 || t->ids[n - 1] != t5_tokenizer_eos(s->tokenizer))
            t->ids[n++] = t5_tokenizer_eos(s->tokenizer);
    }
    text->place = t->batch.n_seq;
    return t5_batch_append(&t->batch, t->ids, n, NULL, 0, s->shape.start_id,
                           (uint32_t)(t->lines.number - 1), err);
}

static t5_status take(t5_predict_texts *t, t5_str line, t5_error *err) {
    t5_text text = {.place = -1, .input_bytes = line.n};
    if (!t5_is_blank(line.s, line.n) && encode(t, line, &text, err) != T5_OK)
        return err->status;
    if (t->keep) {
        text.input = malloc(line.n + 1);
        if (!text.input)
            return t5_fail(err, T5_ERR_MEMORY, "out of memory for a text of %zu bytes", line.n);
        memcpy(text.input, line.s, line.n);
    }
    t->n_read++;
    t->n_cut += text.cut;
    t->text[t->n++] = text;
    return T5_OK;
}

/* Until more has come to in_fd; or who reads out_fd is gone: then nobody waits for an answer. */
static t5_status wait_for_more(int in_fd, int out_fd, t5_error *err) {
    struct pollfd p[2] = {{.fd = in_fd, .events = POLLIN}, {.fd = out_fd}};
    int n;
    do
        n = poll(p, 2, -1);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return t5_fail(err, T5_ERR_IO, "waiting for texts failed: %s", strerror(errno));
    if (p[1].revents & (POLLERR | POLLHUP))
        return t5_fail(err, T5_STOPPED, "nobody reads the answers any more");
    return T5_OK;
}

t5_status t5_predict_texts_next(t5_predict_texts *t, int out_fd, t5_error *err) {
    drop_texts(t);
    while (t->n < t->capacity && !t->at_end) {
        t5_str line;
        bool too_long;
        if (!t5_lines_waiting(&t->lines)) {
            if (t->n > 0)
                break;
            if (wait_for_more(t->fd, out_fd, err) != T5_OK)
                return err->status;
            continue;
        }
        if (t5_lines_next(&t->lines, &line.s, &line.n, &too_long, err) != T5_OK)
            return t5_error_prefix(err, "%s", t->name);
        t->at_end = line.s == NULL;
        if (!t->at_end && (check_line(t, line, too_long, err) != T5_OK || take(t, line, err)))
            return err->status;
    }
    return T5_OK;
}
