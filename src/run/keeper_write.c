/* Writing a checkpoint: begin, the threads, commit. */
#include "io/file.h"
#include "run/keeper_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- begin: the leader's file ---- */

static t5_store *make_values(const t5_keeper *k, const char *path, const t5_training_state *state,
                             const t5_record *record, t5_error *err) {
    t5_store *s = NULL;
    if (t5_store_create(path, &s, err) != T5_OK)
        return NULL;
    t5_store_attr_int(s, "/", "state_version", T5_KEPT_VERSION);
    t5_store_attr_text(s, "/", "t5mpi_version", T5MPI_VERSION);
    t5_store_attr_text(s, "/", "trial", k->trial);
    t5_store_attr_int(s, "/", "seed", (int64_t)k->spec.seed);
    t5_store_attr_int(s, "/", "fingerprint", (int64_t)k->spec.fingerprint);
    t5_store_attr_int(s, "/", "layout", (int64_t)k->layout);
    if (t5_state_put(s, state, record, err) != T5_OK) {
        t5_store_abandon(s);
        return NULL;
    }
    return s;
}

static t5_status make_folder(const t5_keeper *k, t5_error *err) {
    char below[T5_STATE_PATH];
    snprintf(below, sizeof below, "checkpoints/%s", k->trial);
    return t5_file_make_folder_below(k->dir, below, err);
}

static t5_status make_file(t5_keeper *k, const t5_training_state *state, const t5_record *record,
                           t5_keeper_place *place) {
    char path[T5_STATE_PATH + 64];
    t5_checkpoint_array arrays[T5_KEPT];
    t5_error *err = &place->err;
    for (int i = 0; i < k->n_arrays; i++)
        arrays[i] = (t5_checkpoint_array){t5_kept_paths[i], 1, {k->n, 0}};
    t5_state_file(&k->folder, state->step, path);
    if (make_folder(k, err) != T5_OK)
        return err->status;
    t5_store *values = make_values(k, path, state, record, err);
    if (!values || t5_checkpoint_begin(path, values, arrays, k->n_arrays, &k->writer, err) != T5_OK)
        return err->status;
    snprintf(place->temporary, sizeof place->temporary, "%s", t5_checkpoint_temporary(k->writer));
    for (int i = 0; i < k->n_arrays; i++)
        place->offset[i] = t5_checkpoint_offset(k->writer, i);
    return T5_OK;
}

/* ---- begin: every rank's share ---- */

static t5_status copy_share(t5_keeper *k, const float *best_weights, t5_error *err) {
    size_t bytes = (size_t)k->count * sizeof(float);
    for (int i = 0; i < k->n_arrays && err->status == T5_OK && bytes > 0; i++) {
        if (!k->copy[i])
            k->copy[i] = malloc(bytes);
        if (!k->copy[i])
            t5_fail(err, T5_ERR_MEMORY, "out of memory for a copy of the weights (%zu bytes)",
                    bytes);
        else if (i == T5_KEPT_BEST)
            memcpy(k->copy[i], best_weights + k->first, bytes);
        else
            t5_model_read(k->model, t5_kept_arena(i), k->first, k->count, k->copy[i], err);
    }
    return err->status;
}

/* The thread's work. */
static void write_share(void *user) {
    t5_keeper *k = user;
    const char *path = k->place.temporary;
    for (int i = 0; i < k->n_arrays && k->part.status == T5_OK; i++)
        t5_checkpoint_write_range(path, k->fd, k->place.offset[i], k->first, k->count, k->copy[i],
                                  k->sums + i * k->spans, &k->part);
    if (k->part.status == T5_OK)
        t5_checkpoint_sync(path, k->fd, &k->part);
    else
        close(k->fd);
    k->fd = -1;
}

/* ---- commit ---- */

/* The leader's thread's work: the last steps to a file with a name, then the oldest ones go. */
static void finish_file(void *user) {
    t5_keeper *k = user;
    if (t5_checkpoint_commit(k->closing, &k->closed) == T5_OK)
        t5_state_rotate(&k->folder, k->closing_step, k->spec.keep);
    k->closing = NULL;
}

/* The checksums of an array's spans, one share behind the other, from everybody's of all arrays. */
static void array_sums(const t5_keeper *k, int i, const char *all, const size_t *offsets,
                       uint64_t *sums) {
    for (int r = 0; r < t5_comm_size(k->group); r++) {
        size_t bytes = (offsets[r + 1] - offsets[r]) / (size_t)k->n_arrays;
        if (bytes > 0)
            memcpy(sums, all + offsets[r] + (size_t)i * bytes, bytes);
        sums += bytes / sizeof *sums;
    }
}

/* Leader only: k->writer goes to the thread, or is gone. */
static t5_status hand_over(t5_keeper *k, const char *all, const size_t *offsets, t5_error *err) {
    uint64_t *sums = malloc(offsets[t5_comm_size(k->group)] / (size_t)k->n_arrays);
    if (!sums)
        t5_fail(err, T5_ERR_MEMORY, "out of memory for the checksums");
    for (int i = 0; i < k->n_arrays && err->status == T5_OK; i++) {
        array_sums(k, i, all, offsets, sums);
        t5_checkpoint_written(k->writer, i, sums, err);
    }
    free(sums);
    if (err->status != T5_OK)
        return err->status;
    k->closing = k->writer;
    k->writer = NULL;
    k->closing_step = k->step;
    k->closed = (t5_error){0};
    t5_job_start(&k->finishing, finish_file, k);
    return T5_OK;
}

static t5_status commit(t5_keeper *k, t5_error *err) {
    void *all = NULL;
    size_t *offsets = NULL;
    t5_job_wait(&k->writing);
    k->last = k->part;
    if (t5_comm_agree(k->group, &k->last) == T5_OK)
        t5_comm_gather(k->group, k->sums, (size_t)(k->n_arrays * k->spans) * sizeof *k->sums, &all,
                       &offsets, &k->last);
    if (k->last.status == T5_OK && k->leader)
        hand_over(k, all, offsets, &k->last);
    free(all);
    free(offsets);
    t5_keeper_give_up(k);
    k->naming = true;
    if (k->last.status == T5_ERR_COMM)
        *err = k->last;
    else if (k->last.status != T5_OK)
        t5_keeper_warn(k, k->step, &k->last);
    return err->status;
}

/* ---- for the trainer ---- */

t5_status t5_keeper_begin(t5_keeper *k, const float *best_weights, const t5_training_state *state,
                          const t5_record *record, t5_error *err) {
    if (k->busy && commit(k, err) != T5_OK)
        return err->status;
    t5_keeper_finish(k);
    memset(&k->place, 0, sizeof k->place);
    k->part = k->last = (t5_error){0};
    k->n_arrays = best_weights ? T5_KEPT : T5_KEPT_BEST;
    k->step = state->step;
    copy_share(k, best_weights, &k->part);
    if (k->leader)
        make_file(k, state, record, &k->place);
    if (t5_comm_bcast(k->group, 0, &k->place, sizeof k->place, err) != T5_OK)
        return err->status;
    k->last = k->place.err;
    if (k->last.status != T5_OK) {
        t5_keeper_warn(k, k->step, &k->last);
        return T5_OK;
    }
    k->busy = true;
    /* what fails here is the others' business at commit */
    if (k->part.status == T5_OK && k->count > 0 &&
        t5_checkpoint_join(k->place.temporary, &k->fd, &k->part) == T5_OK)
        t5_job_start(&k->writing, write_share, k);
    return T5_OK;
}

t5_status t5_keeper_advance(t5_keeper *k, t5_error *err) {
    if (k->busy)
        return commit(k, err);
    t5_keeper_finish(k);
    return T5_OK;
}

t5_status t5_keeper_settle(t5_keeper *k, t5_error *err) {
    if (k->busy && commit(k, err) != T5_OK)
        return err->status;
    t5_keeper_finish(k);
    *err = k->last;
    return t5_comm_agree(k->group, err);
}
