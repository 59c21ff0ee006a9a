/* Reading checkpoints back. */
#include "base/log.h"
#include "run/keeper_internal.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 1 << 22 }; /* elements that are read and passed on at a time */

/* ---- the leader looks for a file ---- */

/* After a failure to read what t5_checkpoint_open has verified: that is no damage. */
static t5_status not_read(t5_error *err) {
    if (err->status == T5_ERR_INPUT)
        err->status = T5_ERR_IO;
    return err->status;
}

static t5_status check_number(t5_store_reader *r, const char *path, const char *name, int64_t want,
                              const char *what, t5_error *err) {
    int64_t found = 0;
    if (t5_store_get_int(r, "/", name, &found, err) != T5_OK)
        return not_read(err);
    return found == want ? T5_OK : t5_fail(err, T5_ERR_INPUT, "%s: is of %s", path, what);
}

static t5_status check_trial(t5_store_reader *r, const char *path, const char *want,
                             t5_error *err) {
    char *found = NULL;
    if (t5_store_get_text(r, "/", "trial", &found, err) != T5_OK)
        return not_read(err);
    if (strcmp(found, want) != 0)
        t5_fail(err, T5_ERR_INPUT, "%s: is of another trial, %.200s", path, found);
    free(found);
    return err->status;
}

static t5_status check_arrays(const t5_checkpoint *c, const char *path, int64_t n, t5_error *err) {
    for (int i = 0; i < T5_KEPT; i++) {
        int at = t5_checkpoint_find(c, t5_kept_paths[i]);
        const t5_checkpoint_array *array = at >= 0 ? t5_checkpoint_at(c, at) : NULL;
        if (array ? array->n_dims != 1 || array->dims[0] != n : i != T5_KEPT_BEST)
            return t5_fail(err, T5_ERR_INPUT, "%s: is of another model: %s", path,
                           t5_kept_paths[i]);
    }
    return T5_OK;
}

/* Another version's is no damage, either: that version can go on with it. */
static t5_status check_version(t5_store_reader *r, const char *path, t5_error *err) {
    int64_t found = 0;
    if (t5_store_get_int(r, "/", "state_version", &found, err) != T5_OK)
        return not_read(err);
    if (found != T5_KEPT_VERSION)
        t5_fail(err, T5_ERR_IO,
                "%s: another version of t5mpi wrote it (state_version %" PRId64 ", expected %d): "
                "go on with that one, or remove the file",
                path, found, T5_KEPT_VERSION);
    return err->status;
}

/* Is it a good one of this very trial? Its state and curves, if so. */
static t5_status examine(const t5_keeper *k, const char *path, t5_checkpoint *c,
                         t5_training_state *state, t5_record *record, t5_error *err) {
    t5_store_reader *r = t5_checkpoint_values(c);
    if (check_version(r, path, err) == T5_OK && check_trial(r, path, k->trial, err) == T5_OK &&
        check_number(r, path, "seed", (int64_t)k->spec.seed, "another seed", err) == T5_OK &&
        check_number(r, path, "fingerprint", (int64_t)k->spec.fingerprint,
                     "other settings, other rows or another tokeniser", err) == T5_OK &&
        check_number(r, path, "layout", (int64_t)k->layout, "a model of another shape", err) ==
            T5_OK &&
        check_arrays(c, path, k->n, err) == T5_OK && t5_state_get(r, state, record, err) != T5_OK)
        not_read(err);
    return err->status;
}

/* The newest one that is good; *c NULL: there is none. What is damaged is passed over. What cannot
 * be read now may be good all the same, and the next checkpoint would remove it: that is an error,
 * which fails the trial and leaves its files to --retry-failed. */
static t5_status find(const t5_keeper *k, t5_checkpoint **c, t5_training_state *state,
                      t5_record *record, t5_error *err) {
    int64_t *steps = NULL;
    int n = 0;
    *c = NULL;
    if (t5_state_list(&k->folder, &steps, &n, err) != T5_OK)
        return err->status;
    for (int i = 0; i < n && !*c && err->status == T5_OK; i++) {
        char path[T5_STATE_PATH + 64];
        t5_error bad = {0};
        t5_state_file(&k->folder, steps[i], path);
        if (t5_checkpoint_open(path, c, &bad) == T5_OK &&
            examine(k, path, *c, state, record, &bad) == T5_OK)
            break;
        t5_checkpoint_close(*c);
        *c = NULL;
        if (bad.status != T5_ERR_INPUT || access(path, R_OK) != 0)
            *err = bad;
        else
            t5_log(T5_LOG_WARNING, "trial %s: the checkpoint of step %" PRId64 " is not used: %s",
                   k->trial, steps[i], bad.text);
    }
    free(steps);
    return err->status;
}

/* ---- from the leader to everybody ---- */

/* What the leader found. */
typedef struct found_file {
    t5_error err;
    bool found, has_best;
    t5_training_state state;
} found_file;

/* What a piece goes into: the model's arena, or the best weights. */
static t5_status take_piece(t5_keeper *k, int array, int64_t first, int64_t n, const float *piece,
                            float *best, t5_error *err) {
    if (array != T5_KEPT_BEST)
        return t5_model_write(k->model, t5_kept_arena(array), first, n, piece, err);
    memcpy(best + first, piece, (size_t)n * sizeof *piece);
    return T5_OK;
}

/* The leader reads, everybody takes. A failure of one rank is known to all at the end; the leader's
 * at once. */
static t5_status share_array(t5_keeper *k, t5_checkpoint *c, int array, float *piece, float *best,
                             t5_error *err) {
    t5_error mine = {0};
    for (int64_t first = 0; first < k->n; first += PIECE) {
        int64_t n = k->n - first < PIECE ? k->n - first : PIECE;
        t5_error read = {0};
        if (k->leader)
            t5_checkpoint_read(c, t5_checkpoint_find(c, t5_kept_paths[array]), first, n, piece,
                               &read);
        if (t5_comm_bcast(k->group, 0, &read, sizeof read, err) != T5_OK)
            return err->status;
        if (read.status != T5_OK) {
            *err = read;
            return err->status;
        }
        if (t5_comm_bcast(k->group, 0, piece, (size_t)n * sizeof *piece, err) != T5_OK)
            return err->status;
        if (mine.status == T5_OK)
            take_piece(k, array, first, n, piece, best, &mine);
    }
    *err = mine;
    return t5_comm_agree(k->group, err);
}

static t5_status share(t5_keeper *k, t5_checkpoint *c, const found_file *file, float **best,
                       t5_error *err) {
    float *piece = malloc(PIECE * sizeof *piece);
    bool want_best = file->state.best_epoch > 0;
    *best = want_best ? malloc((size_t)k->n * sizeof **best) : NULL;
    if (!piece || (want_best && !*best))
        t5_fail(err, T5_ERR_MEMORY, "out of memory for the weights of a checkpoint");
    t5_comm_agree(k->group, err);
    for (int i = 0; i < T5_KEPT && err->status == T5_OK; i++)
        if (i != T5_KEPT_BEST || (want_best && file->has_best))
            share_array(k, c, i, piece, *best, err);
    if (err->status == T5_OK && want_best && !file->has_best) {
        t5_model_read(k->model, T5_ARENA_WEIGHT, 0, k->n, *best, err);
        t5_comm_agree(k->group, err);
    }
    free(piece);
    return err->status;
}

t5_status t5_keeper_load(t5_keeper *k, float **best_weights, t5_training_state *state,
                         t5_record *record, bool *found, t5_error *err) {
    t5_checkpoint *c = NULL;
    float *best = NULL;
    found_file file;
    memset(&file, 0, sizeof file);
    *best_weights = NULL;
    *found = false;
    t5_keeper_give_up(k);
    t5_keeper_finish(k);
    if (k->leader && find(k, &c, &file.state, record, &file.err) == T5_OK && c) {
        file.found = true;
        file.has_best = t5_checkpoint_find(c, t5_kept_paths[T5_KEPT_BEST]) >= 0;
    }
    if (t5_comm_bcast(k->group, 0, &file, sizeof file, err) != T5_OK)
        goto done;
    *err = file.err;
    if (err->status != T5_OK || !file.found || share(k, c, &file, &best, err) != T5_OK)
        goto done;
    *best_weights = best;
    best = NULL;
    *state = file.state;
    *found = true;
done:
    free(best);
    t5_checkpoint_close(c);
    return err->status;
}
