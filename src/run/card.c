#include "run/card.h"
#include "io/replace.h"
#include "io/store_read.h"
#include "run/metrics.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A trial in results.h5; the first failure sticks and the rest is not written. */
typedef struct card {
    FILE *out;
    t5_store_reader *results;
    char trial[192]; /* "/trials/NAME" */
    t5_error *err;
} card;

static double number(card *c, const char *name) {
    double value = 0;
    if (c->err->status == T5_OK)
        t5_store_get_double(c->results, c->trial, name, &value, c->err);
    return value;
}

static long long count(card *c, const char *object, const char *name) {
    int64_t value = 0;
    if (c->err->status == T5_OK)
        t5_store_get_int(c->results, object, name, &value, c->err);
    return value;
}

/* malloc'd, or NULL after a failure. */
static char *text(card *c, const char *object, const char *name) {
    char *value = NULL;
    if (c->err->status == T5_OK)
        t5_store_get_text(c->results, object, name, &value, c->err);
    return value;
}

static void put_head(card *c, const char *trial) {
    fprintf(c->out,
            "---\n"
            "library_name: transformers\n"
            "pipeline_tag: text2text-generation\n"
            "tags:\n"
            "- t5\n"
            "- t5mpi\n"
            "---\n"
            "\n"
            "# %s\n"
            "\n"
            "A T5 model that turns a text into labels. Trained and exported by t5mpi " T5MPI_VERSION
            ".\n",
            trial);
}

static void put_use(card *c) {
    fputs("\n## Use\n"
          "\n"
          "```python\n"
          "from transformers import T5ForConditionalGeneration, T5Tokenizer\n"
          "\n"
          "tokenizer = T5Tokenizer.from_pretrained(\".\")  # this directory\n"
          "model = T5ForConditionalGeneration.from_pretrained(\".\")\n"
          "inputs = tokenizer([\"...\"], return_tensors=\"pt\", padding=True, truncation=True)\n"
          "answers = model.generate(**inputs)\n"
          "print(tokenizer.batch_decode(answers, skip_special_tokens=True))\n"
          "```\n"
          "\n"
          "`generation_config.json` generates as the test split below was answered; for four beams "
          "add\n"
          "`num_beams=4, early_stopping=True`. Without Python:\n"
          "\n"
          "    t5mpi predict --model . texts.txt\n",
          c->out);
}

static void put_training(card *c) {
    char *loss = text(c, c->trial, "loss");
    bool focal = loss && strcmp(loss, "focal") == 0;
    long long top_n = count(c, c->trial, "top_n");

    fprintf(c->out, "\n## Training\n\n| | |\n|---|---|\n| learning rate | %g |\n| labels | ",
            number(c, "learning_rate"));
    if (top_n > 0)
        fprintf(c->out, "rows with no other than the %lld most frequent |\n", top_n);
    else
        fprintf(c->out, "all |\n");
    if (focal)
        fprintf(c->out, "| loss | focal, gamma %g, alpha %g |\n", number(c, "gamma"),
                number(c, "alpha"));
    else
        fprintf(c->out, "| loss | cross entropy, label smoothing %g |\n",
                number(c, "label_smoothing"));
    fprintf(c->out, "| seed | %lld |\n| rows | %lld training, %lld validation, %lld test |\n",
            count(c, c->trial, "seed"), count(c, c->trial, "rows_train"),
            count(c, c->trial, "rows_val"), count(c, c->trial, "rows_test"));
    fprintf(c->out,
            "| best epoch | %lld |\n"
            "| data set | %lld rows, %lld different labels, %lld occurrences |\n",
            count(c, c->trial, "best_epoch"), count(c, "/dataset", "rows"),
            count(c, "/dataset", "distinct_emojis"), count(c, "/dataset", "occurrences"));
    free(loss);
}

static void put_metrics(card *c) {
    char test[200];
    snprintf(test, sizeof test, "%.190s/test", c->trial);
    if (c->err->status != T5_OK || !t5_store_has(c->results, test))
        return; /* no test rows */
    fputs("\n## Metrics\n\nOf the test split, with the best epoch's weights.\n\n| | |\n|---|---|\n",
          c->out);
    for (int i = 0; i < T5_N_METRICS; i++) {
        const char *name = t5_metric_names[i];
        double value = 0;
        if (t5_metric_is_count(i))
            fprintf(c->out, "| %s | %lld |\n", name, count(c, test, name));
        else if (c->err->status == T5_OK &&
                 t5_store_get_double(c->results, test, name, &value, c->err) == T5_OK)
            fprintf(c->out, "| %s | %.4f |\n", name, value);
    }
}

/* Indented, so that nothing in it is Markdown. */
static void put_config(card *c) {
    char *config = text(c, "/", "config"), *rest = config;
    fputs("\n## Configuration\n\nOf the whole sweep.\n\n", c->out);
    for (char *line; config && (line = strsep(&rest, "\n"));)
        if (*line || rest) /* not what is behind the last newline */
            fprintf(c->out, *line ? "    %s\n" : "%s\n", line);
    free(config);
}

t5_status t5_card_write(const char *run, const char *trial, const char *directory, t5_error *err) {
    char path[4352], *memory = NULL;
    size_t bytes = 0;
    card c = {.err = err};

    snprintf(c.trial, sizeof c.trial, "/trials/%s", trial);
    snprintf(path, sizeof path, "%s/results.h5", run);
    if (t5_store_open(path, &c.results, err) != T5_OK)
        return err->status;
    c.out = open_memstream(&memory, &bytes);
    if (!c.out) {
        t5_fail(err, T5_ERR_MEMORY, "out of memory for the model card");
        goto done;
    }
    put_head(&c, trial);
    put_use(&c);
    put_training(&c);
    put_metrics(&c);
    put_config(&c);
    if (fclose(c.out) != 0)
        t5_fail(err, T5_ERR_MEMORY, "out of memory for the model card");
    snprintf(path, sizeof path, "%s/README.md", directory);
    if (err->status == T5_OK)
        t5_file_replace(path, memory, bytes, err);
done:
    t5_store_close(c.results);
    free(memory);
    return err->status;
}
