#include "run/sweep.h"
#include "base/log.h"
#include "io/file.h"
#include "io/folder.h"
#include "report/report.h"
#include "report/screen.h"
#include "results/claim.h"
#include "results/index.h"
#include "results/results.h"
#include "run/again.h"
#include "run/prepare.h"
#include "run/resume.h"
#include "run/resume_plan.h"
#include "run/worker.h"
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* Writes into the output folder what is known before the first trial: the file of every trial
 * that is not kept from an earlier run ("pending") and the index with its links, so that results.h5
 * is readable from the start. */
static t5_status start_results(const t5_prepared *p, t5_host *host, uint64_t fingerprint, int ranks,
                               const char *device, t5_error *err) {
    const char *dir = p->config->output_dir;
    const t5_trial_summary *summaries = t5_host_summaries(host);
    t5_index index;

    for (int t = 0; t < p->plan.n; t++)
        if (strcmp(summaries[t].status, "pending") == 0 &&
            t5_results_write_trial(dir, &summaries[t], NULL, NULL, err) != T5_OK)
            return err->status;
    if (t5_index_fill(p->config, &p->whole, p->part, &p->source, fingerprint, ranks, device, &index,
                      err) == T5_OK)
        t5_index_write(dir, &index, err);
    t5_index_free(&index);
    return err->status;
}

/* Of settings and data, for checkpoints: a trial goes on only where both are the same. */
static t5_status set_fingerprint(const t5_prepared *p, uint64_t data, t5_host *host,
                                 t5_error *err) {
    char *text;
    if (t5_config_settings(p->config, &text, err) != T5_OK)
        return err->status;
    t5_host_set_fingerprint(host, XXH3_64bits_withSeed(text, strlen(text), data));
    free(text);
    return T5_OK;
}

static t5_status check_orphans(const t5_prepared *p, t5_error *err) {
    char index[4352];
    snprintf(index, sizeof index, "%s/results.h5", p->config->output_dir);
    return t5_file_exists(index) ? T5_OK
                                 : t5_resume_check_orphans(p->config->output_dir, &p->plan, err);
}

/* A part's folder is below the output folder, where no link is followed. */
static t5_status make_part_folder(const t5_prepared *p, t5_error *err) {
    char base[4352];
    snprintf(base, sizeof base, "%s", p->config->output_dir);
    char *slash = p->part.count > 0 ? strrchr(base, '/') : NULL;
    if (!slash)
        return T5_OK;
    *slash = '\0';
    return t5_file_make_folder(base, err) == T5_OK ? t5_file_make_folder_below(base, slash + 1, err)
                                                   : err->status;
}

static t5_status begin(const t5_command *command, const t5_prepared *p, t5_host *host, int ranks,
                       const char *device, t5_lock **lock, FILE *out, t5_error *err) {
    const char *dir = p->config->output_dir;
    uint64_t fingerprint = t5_source_fingerprint(&p->source);
    int n_kept = 0;
    /* results may have come while the data were read */
    if (set_fingerprint(p, fingerprint, host, err) != T5_OK || make_part_folder(p, err) != T5_OK ||
        t5_claim_take(dir, command->job, lock, err) != T5_OK ||
        t5_results_check_folder(dir, command->resume, err) != T5_OK ||
        check_orphans(p, err) != T5_OK ||
        (command->resume &&
         t5_resume(p, fingerprint, command->retry_failed, host, &n_kept, err) != T5_OK))
        return err->status;
    t5_resume_clean(p); /* the earlier run may have been killed before there were results */
    if (start_results(p, host, fingerprint, ranks, device, err) != T5_OK)
        return err->status;
    t5_prepared_greet(p, ranks, device, out);
    if (command->resume)
        t5_resume_print(p, host, n_kept, out);
    fputc('\n', out);
    fflush(out);
    return T5_OK;
}

static void print_report(const t5_prepared *p, t5_host *host, FILE *out) {
    char path[4352];
    snprintf(path, sizeof path, "%s/results.h5", p->config->output_dir);
    t5_report report = {.n = p->plan.n,
                        .trials = t5_host_summaries(host),
                        .baseline = p->plan.baseline,
                        .baseline_figures = p->config->baseline,
                        .goals = p->config->goals,
                        .decide_by = p->config->decide_by,
                        .is_tree = p->plan.is_tree,
                        .results_path = path};
    t5_report_print(&report, out, t5_screen_find(out, NULL, NULL));
}

/* The folder of checkpoints, if none is kept. No group writes there any more. */
static void remove_empty(const char *dir) {
    char path[4352];
    snprintf(path, sizeof path, "%s/checkpoints", dir);
    t5_folder_remove_empty(path);
}

/* After a signal, unless everything had ended. */
static t5_status say_interrupted(const t5_command *command, const t5_prepared *p, t5_host *host,
                                 int ranks, t5_error *err) {
    char again[768];
    int left = 0;
    for (int t = 0; t < p->plan.n; t++) {
        const char *status = t5_host_summaries(host)[t].status;
        left += strcmp(status, "stopped") == 0 || strcmp(status, "pending") == 0;
    }
    if (left == 0 || !t5_host_signal(host))
        return T5_OK;
    t5_command_again(command, ranks, again, sizeof again);
    return t5_fail(err, T5_INTERRUPTED,
                   "stopped by %s, %d of %d trials have not ended; to go on: %s",
                   t5_stop_name(t5_host_signal(host)), left, p->plan.n, again);
}

static t5_status open_console(const t5_prepared *p, FILE *out, t5_console **console,
                              const char ***names, t5_error *err) {
    *names = malloc(((size_t)p->plan.n + 1) * sizeof **names);
    if (!*names)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for %d trials", p->plan.n);
    for (int t = 0; t < p->plan.n; t++)
        (*names)[t] = p->plan.trials[t].name;
    return t5_console_open(out, t5_screen_find(out, NULL, NULL), p->plan.n, *names,
                           p->config->decide_by, console, err);
}

/* From the shared setup to the end of the last trial. pretrained: on rank 0, or NULL. */
static t5_status work(t5_comm *world, const t5_setup *setup, t5_device *device, bool bf16,
                      t5_pretrained *pretrained, const t5_stop *stop, t5_host *host,
                      t5_error *err) {
    t5_worker w = {.world = world,
                   .setup = setup,
                   .device = device,
                   .bf16 = bf16,
                   .pretrained = pretrained,
                   .stop = stop};

    if (t5_service_start(world, t5_host_handle, host, &w.service, err) != T5_OK)
        return err->status;
    if (t5_comm_group(world, setup->settings.ranks_per_trial, &w.group, err) == T5_OK &&
        t5_reducer_create(w.group, device->stream, setup->settings.timeout_s, &w.reducer, err) ==
            T5_OK) {
        w.leader = t5_comm_rank(w.group) == 0;
        t5_worker_run(&w, err);
    }
    if (err->status != T5_OK) {
        /* The other groups cannot be told, and may wait for a decision that needs this group's
         * trial: end the job with a message rather than hang. */
        t5_log(T5_LOG_ERROR, "%s", err->text);
        t5_comm_abort(world, 1);
    }
    t5_reducer_destroy(w.reducer);
    t5_comm_free(w.group);
    t5_service_stop(w.service, err);
    return t5_comm_agree(world, err);
}

t5_status t5_sweep_run(t5_comm *world, const t5_command *command, FILE *out, int *n_failed,
                       t5_error *err) {
    bool root = t5_comm_rank(world) == 0;
    t5_prepared p = {0};
    t5_setup setup = {0};
    t5_device *device = NULL;
    t5_console *console = NULL;
    t5_host *host = NULL;
    t5_lock *lock = NULL;
    const char **names = NULL;
    bool bf16 = false;

    *n_failed = 0;
    if (root)
        t5_prepare(command, t5_comm_size(world), true, &p, err);
    if (t5_comm_agree(world, err) != T5_OK ||
        t5_setup_share(world, &p.settings, p.source.tokenizer_block, p.source.tokenizer_bytes,
                       root ? t5_dataset_labels(p.source.set) : NULL, &setup, err) != T5_OK ||
        t5_comm_set_timeout(world, setup.settings.timeout_s, err) != T5_OK)
        goto done;
    if (t5_devices_open(world, &setup.settings.device, &device, &bf16, err) != T5_OK)
        goto done;
    if (root && open_console(&p, out, &console, &names, err) == T5_OK &&
        t5_host_create(p.config, &p.plan, &p.source, console, command->stop, &host, err) == T5_OK)
        begin(command, &p, host, t5_comm_size(world), device->info, &lock, out, err);
    if (t5_comm_agree(world, err) != T5_OK)
        goto done;
    if (!root)
        lock = t5_claim_join(setup.settings.output_dir);
    if (work(world, &setup, device, bf16, p.source.pretrained, command->stop, host, err) != T5_OK)
        goto done;
    if (root) {
        t5_console_close(console);
        console = NULL;
        remove_empty(p.config->output_dir);
        if (t5_host_settle(host, p.config->output_dir, err) == T5_OK)
            print_report(&p, host, out);
        for (int t = 0; t < p.plan.n; t++)
            *n_failed += t5_trial_lacks_something(&t5_host_summaries(host)[t]);
        if (err->status == T5_OK)
            say_interrupted(command, &p, host, t5_comm_size(world), err);
    }
    if (t5_comm_agree(world, err) == T5_OK)
        t5_comm_bcast(world, 0, n_failed, sizeof *n_failed, err);
done:
    t5_lock_release(lock);
    t5_console_close(console);
    t5_host_destroy(host);
    free(names);
    t5_device_close(device);
    t5_setup_free(&setup);
    t5_prepared_free(&p);
    return err->status;
}
