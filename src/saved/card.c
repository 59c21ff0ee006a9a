#include "saved/card.h"
#include "io/replace.h"
#include "results/results_read.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_head(const char *trial, FILE *out) {
    fprintf(out,
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

static void put_use(FILE *out) {
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
          out);
}

static void put_training(const t5_trial_summary *t, FILE *out) {
    const t5_loss_spec *loss = &t->spec.loss;

    fprintf(out, "\n## Training\n\n| | |\n|---|---|\n| learning rate | %g |\n| labels | ",
            t->spec.learning_rate);
    if (t->spec.top_n > 0)
        fprintf(out, "rows with no other than the %d most frequent |\n", t->spec.top_n);
    else
        fprintf(out, "all |\n");
    if (loss->kind == T5_LOSS_FOCAL)
        fprintf(out, "| loss | focal, gamma %g, alpha %g |\n", loss->gamma, loss->alpha);
    else
        fprintf(out, "| loss | cross entropy, label smoothing %g |\n", loss->label_smoothing);
    fprintf(out,
            "| seed | %lld |\n| rows | %lld training, %lld validation, %lld test |\n"
            "| best epoch | %d |\n",
            (long long)t->spec.seed, (long long)t->rows_train, (long long)t->rows_val,
            (long long)t->rows_test, t->best_epoch);
}

static t5_status put_data(t5_store_reader *results, FILE *out, t5_error *err) {
    int64_t rows, labels, occurrences;
    if (t5_store_get_int(results, "/dataset", "rows", &rows, err) == T5_OK &&
        t5_store_get_int(results, "/dataset", "distinct_emojis", &labels, err) == T5_OK &&
        t5_store_get_int(results, "/dataset", "occurrences", &occurrences, err) == T5_OK)
        fprintf(out, "| data set | %lld rows, %lld different labels, %lld occurrences |\n",
                (long long)rows, (long long)labels, (long long)occurrences);
    return err->status;
}

static void put_metrics(const t5_metrics *m, FILE *out) {
    fputs("\n## Metrics\n\nOf the test split, with the best epoch's weights.\n\n| | |\n|---|---|\n",
          out);
    for (int i = 0; i < T5_N_METRICS; i++)
        fprintf(out, t5_metric_is_count(i) ? "| %s | %.0f |\n" : "| %s | %.4f |\n",
                t5_metric_names[i], t5_metric_value(m, i));
}

/* Indented, so that nothing in it is Markdown. */
static t5_status put_config(t5_store_reader *results, FILE *out, t5_error *err) {
    char *config = NULL;
    if (t5_store_get_text(results, "/", "config", &config, err) != T5_OK)
        return err->status;
    fputs("\n## Configuration\n\nOf the whole sweep.\n\n", out);
    for (char *line, *rest = config; (line = strsep(&rest, "\n"));)
        if (*line || rest) /* not what is behind the last newline */
            fprintf(out, *line ? "    %s\n" : "%s\n", line);
    free(config);
    return T5_OK;
}

static t5_status put_all(t5_store_reader *results, const char *trial, FILE *out, t5_error *err) {
    t5_trial_summary t;
    if (t5_results_read_trial(results, trial, &t, err) != T5_OK)
        return err->status;
    put_head(trial, out);
    put_use(out);
    put_training(&t, out);
    if (put_data(results, out, err) != T5_OK)
        return err->status;
    if (t.has_test)
        put_metrics(&t.test, out);
    return put_config(results, out, err);
}

t5_status t5_card_write(const char *run, const char *trial, const char *directory, t5_error *err) {
    char path[4352], *text = NULL;
    size_t bytes = 0;
    t5_store_reader *results = NULL;

    snprintf(path, sizeof path, "%s/results.h5", run);
    if (t5_store_open(path, &results, err) != T5_OK)
        return err->status;
    FILE *out = open_memstream(&text, &bytes);
    if (out)
        put_all(results, trial, out, err);
    if (!out || fclose(out) != 0)
        t5_fail(err, T5_ERR_MEMORY, "out of memory for the model card");
    snprintf(path, sizeof path, "%s/README.md", directory);
    if (err->status == T5_OK)
        t5_file_replace(path, text, bytes, err);
    t5_store_close(results);
    free(text);
    return err->status;
}
