#include "run/prepare.h"
#include "results/claim.h"
#include "results/results.h"
#include "run/resume_plan.h"
#include <stdlib.h>
#include <string.h>

static t5_status plan_part(t5_prepared *p, const t5_command *command, t5_error *err) {
    char *folder;
    p->part = command->part;
    if (t5_plan_make(p->config, &p->whole, err) != T5_OK)
        return err->status;
    if (!(folder = t5_part_folder(p->config->output_dir, p->part)))
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for the path of the results");
    free(p->config->output_dir);
    p->config->output_dir = folder;
    if (command->resume && t5_resume_names(folder, &p->whole, err) != T5_OK)
        return err->status;
    return t5_part_plan(&p->whole, p->part, &p->plan, err);
}

t5_status t5_prepare(const t5_command *command, int ranks, bool writes, t5_prepared *p,
                     t5_error *err) {
    memset(p, 0, sizeof *p);
    if (t5_config_read(command->config, command->sets, command->n_sets, command->output, &p->config,
                       err) != T5_OK ||
        plan_part(p, command, err) != T5_OK)
        goto done;
    if (ranks % p->config->ranks_per_trial != 0) {
        t5_fail(err, T5_ERR_INPUT,
                "%s: parallel.ranks_per_trial = %d does not divide the %d rank%s that mpirun "
                "started",
                p->config->file, p->config->ranks_per_trial, ranks, ranks == 1 ? "" : "s");
        goto done;
    }
    if (writes && (t5_claim_check(p->config->output_dir, command->job, err) != T5_OK ||
                   t5_results_check_folder(p->config->output_dir, command->resume, err) != T5_OK))
        goto done;
    if (t5_source_open(p->config, &p->plan, &p->source, err) == T5_OK)
        t5_settings_fill(p->config, p->source.tokenizer, p->source.pretrained, p->plan.n,
                         &p->settings, err);
    p->settings.device.use = command->device;
done:
    if (err->status != T5_OK)
        t5_prepared_free(p);
    return err->status;
}

void t5_prepared_free(t5_prepared *p) {
    t5_source_close(&p->source);
    t5_plan_free(&p->plan);
    t5_plan_free(&p->whole);
    t5_config_destroy(p->config);
    memset(p, 0, sizeof *p);
}

void t5_prepared_greet(const t5_prepared *p, int ranks, const char *device, FILE *out) {
    const t5_labels *labels = t5_dataset_labels(p->source.set);
    int groups = ranks / p->config->ranks_per_trial;
    fprintf(out, "t5mpi %s  %s\n", T5MPI_VERSION, p->config->file);
    fprintf(out, "data     %s: %lld rows", p->config->data.path,
            (long long)t5_rows_count(p->source.rows));
    if (p->source.report.skipped)
        fprintf(out, " (%lld bad ones skipped, the first in line %lld: %s)",
                (long long)p->source.report.skipped, (long long)p->source.report.first_bad_line,
                p->source.report.first_bad);
    fprintf(out, ", %d distinct labels, %lld occurrences\n", t5_labels_size(labels),
            (long long)t5_labels_total(labels));
    fputs("plan     ", out);
    if (p->part.count > 0)
        fprintf(out, "part %d of %d: %d of ", p->part.number, p->part.count, p->plan.n);
    fprintf(out, "%d trial%s on %d group%s of %d rank%s\n", p->whole.n, p->whole.n == 1 ? "" : "s",
            groups, groups == 1 ? "" : "s", p->config->ranks_per_trial,
            p->config->ranks_per_trial == 1 ? "" : "s");
    fprintf(out, "device   %s per rank\n", device);
    fprintf(out, "results  %s\n", p->config->output_dir);
}
