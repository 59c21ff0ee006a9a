#include "io/checkpoint_layout.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = T5_CHECKPOINT_SPAN_BYTES }; /* that are read at a time */

/* ---------------------------------------------------------------- user block */

static const char intro[] =
    "t5mpi checkpoint 2\n"
    "HDF5 from byte 512 on; " T5_CHECKPOINT_PATHS " names the float32 arrays, " T5_CHECKPOINT_PLACES
    " has\noffset, bytes and XXH3 of each (of the XXH3 of every MiB);\n"
    "xxh3 here is of all other bytes (with zeros for itself).\n";

void t5_checkpoint_render(const t5_checkpoint_header *h, char block[T5_CHECKPOINT_BLOCK]) {
    memset(block, 0, T5_CHECKPOINT_BLOCK);
    snprintf(block, T5_CHECKPOINT_BLOCK,
             "%ssize %" PRId64 "\narrays %d\nplaces %" PRId64 "\nxxh3 %016" PRIx64 "\n", intro,
             h->size, h->n_arrays, h->places, h->xxh3);
}

bool t5_checkpoint_parse(const char block[T5_CHECKPOINT_BLOCK], t5_checkpoint_header *h) {
    char text[T5_CHECKPOINT_BLOCK + 1] = "", again[T5_CHECKPOINT_BLOCK];
    size_t n = sizeof intro - 1;
    memcpy(text, block, T5_CHECKPOINT_BLOCK);
    if (memcmp(text, intro, n) ||
        sscanf(text + n, "size %18" SCNd64 " arrays %9d places %18" SCNd64 " xxh3 %16" SCNx64,
               &h->size, &h->n_arrays, &h->places, &h->xxh3) != 4)
        return false;
    t5_checkpoint_render(h, again); /* what sscanf is lenient about */
    return memcmp(block, again, T5_CHECKPOINT_BLOCK) == 0;
}

/* ---------------------------------------------------------------- bytes */

t5_status t5_checkpoint_pread(const char *path, int fd, void *data, size_t bytes, int64_t offset,
                              t5_error *err) {
    for (char *to = data; bytes > 0;) {
        ssize_t n = pread(fd, to, bytes, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return t5_fail(err, T5_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
        if (n == 0)
            return t5_fail(err, T5_ERR_INPUT, "%s: was cut short while it was read", path);
        to += n;
        offset += n;
        bytes -= (size_t)n;
    }
    return T5_OK;
}

t5_status t5_checkpoint_pwrite(const char *path, int fd, const void *data, size_t bytes,
                               int64_t offset, t5_error *err) {
    for (const char *from = data; bytes > 0;) {
        ssize_t n = pwrite(fd, from, bytes, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return t5_fail(err, T5_ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
        from += n;
        offset += n;
        bytes -= (size_t)n;
    }
    return T5_OK;
}

/* ---------------------------------------------------------------- checksums */

/* A checksum in the making, with the room to read into. */
typedef struct hasher {
    XXH3_state_t *state;
    char *piece;
} hasher;

static void close_hasher(hasher *h) {
    XXH3_freeState(h->state);
    free(h->piece);
}

static t5_status open_hasher(const char *path, hasher *h, t5_error *err) {
    h->state = XXH3_createState();
    h->piece = malloc(PIECE);
    if (h->state && h->piece) {
        XXH3_64bits_reset(h->state);
        return T5_OK;
    }
    close_hasher(h);
    return t5_fail(err, T5_ERR_MEMORY, "%s: out of memory", path);
}

static t5_status hash_bytes(const char *path, int fd, hasher *h, uint64_t offset, uint64_t bytes,
                            t5_error *err) {
    t5_status status = T5_OK;
    while (bytes > 0 && status == T5_OK) {
        size_t n = bytes < PIECE ? (size_t)bytes : PIECE;
        status = t5_checkpoint_pread(path, fd, h->piece, n, (int64_t)offset, err);
        if (status == T5_OK)
            XXH3_64bits_update(h->state, h->piece, n);
        offset += n;
        bytes -= n;
    }
    return status;
}

static int by_offset(const void *a, const void *b) {
    uint64_t x = ((const t5_checkpoint_place *)a)->offset;
    uint64_t y = ((const t5_checkpoint_place *)b)->offset;
    return (x > y) - (x < y);
}

/* HDF5 fills gaps that aligned arrays leave with smaller ones, so numbers are in no order. */
static t5_status sort_places(const char *path, const t5_checkpoint_header *header,
                             const t5_checkpoint_place *places, t5_checkpoint_place **sorted,
                             t5_error *err) {
    size_t n = (size_t)header->n_arrays;
    uint64_t end = T5_CHECKPOINT_BLOCK, size = (uint64_t)header->size;
    t5_checkpoint_place *copy = malloc(n * sizeof *copy);
    if (!copy)
        return t5_fail(err, T5_ERR_MEMORY, "%s: out of memory for %zu arrays", path, n);
    memcpy(copy, places, n * sizeof *copy);
    qsort(copy, n, sizeof *copy, by_offset);
    for (size_t i = 0; i < n; i++) {
        if (copy[i].offset < end || copy[i].offset > size ||
            copy[i].bytes > size - copy[i].offset) {
            free(copy);
            return t5_fail(err, T5_ERR_INPUT, "%s: is damaged: the places of its arrays", path);
        }
        end = copy[i].offset + copy[i].bytes;
    }
    *sorted = copy;
    return T5_OK;
}

t5_status t5_checkpoint_hash_rest(const char *path, int fd, const t5_checkpoint_header *header,
                                  const t5_checkpoint_place *places, uint64_t *xxh3,
                                  t5_error *err) {
    hasher h = {0};
    t5_checkpoint_place *sorted = NULL;
    char block[T5_CHECKPOINT_BLOCK];
    t5_checkpoint_header blank = *header;
    uint64_t end = T5_CHECKPOINT_BLOCK;
    blank.xxh3 = 0;
    t5_checkpoint_render(&blank, block);
    t5_status status = sort_places(path, header, places, &sorted, err);
    if (status == T5_OK)
        status = open_hasher(path, &h, err);
    if (status != T5_OK)
        goto done;
    XXH3_64bits_update(h.state, block, sizeof block);
    for (int i = 0; i < header->n_arrays && status == T5_OK; i++) {
        status = hash_bytes(path, fd, &h, end, sorted[i].offset - end, err);
        end = sorted[i].offset + sorted[i].bytes;
    }
    if (status == T5_OK)
        status = hash_bytes(path, fd, &h, end, (uint64_t)header->size - end, err);
    *xxh3 = XXH3_64bits_digest(h.state);
    close_hasher(&h);
done:
    free(sorted);
    return status;
}

t5_status t5_checkpoint_hash_place(const char *path, int fd, const t5_checkpoint_place *place,
                                   uint64_t *xxh3, t5_error *err) {
    hasher h = {0};
    t5_status status = open_hasher(path, &h, err);
    if (status != T5_OK)
        return status;
    for (uint64_t done = 0; done < place->bytes && status == T5_OK;) {
        uint64_t left = place->bytes - done;
        size_t n = left < PIECE ? (size_t)left : PIECE;
        status = t5_checkpoint_pread(path, fd, h.piece, n, (int64_t)(place->offset + done), err);
        uint64_t sum = status == T5_OK ? XXH3_64bits(h.piece, n) : 0;
        XXH3_64bits_update(h.state, &sum, sizeof sum);
        done += n;
    }
    *xxh3 = XXH3_64bits_digest(h.state);
    close_hasher(&h);
    return status;
}
