/* Reads an oracle fixture: named blocks of numbers, the format at the top of make_fixtures.py. The
 * whole file is read at once; bfloat16 blocks are widened to float. A file that is cut short or
 * makes no sense is an error text, never a crash: the sizes in it are not trusted. Test code:
 * header only. */
#ifndef TESTS_ORACLE_FIXTURE_H
#define TESTS_ORACLE_FIXTURE_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIXTURE_F32, FIXTURE_I32, FIXTURE_BF16, FIXTURE_MAX_BLOCKS = 512, FIXTURE_MAX_DIMS = 4 };

typedef struct fixture_block {
    char name[112];
    int64_t n; /* elements */
    int n_dims;
    int64_t dims[FIXTURE_MAX_DIMS];
    float *f32; /* one of the two is set */
    int32_t *i32;
} fixture_block;

typedef struct fixture {
    int n_blocks;
    fixture_block block[FIXTURE_MAX_BLOCKS];
} fixture;

typedef struct fixture_cursor {
    const unsigned char *p;
    size_t left;
} fixture_cursor;

static inline int fixture_take(fixture_cursor *c, void *dst, size_t bytes) {
    if (c->left < bytes)
        return 0;
    memcpy(dst, c->p, bytes);
    c->p += bytes;
    c->left -= bytes;
    return 1;
}

static inline void fixture_free(fixture *f) {
    for (int i = 0; f && i < f->n_blocks; i++) {
        free(f->block[i].f32);
        free(f->block[i].i32);
    }
    free(f);
}

/* Type, name and dimensions. 1: fine. */
static inline int fixture_read_head(fixture_cursor *c, fixture_block *b, uint32_t *type) {
    uint32_t head[3], dim;
    if (!fixture_take(c, head, sizeof head))
        return 0;
    if (head[0] > FIXTURE_BF16 || head[1] >= sizeof b->name || head[2] > FIXTURE_MAX_DIMS)
        return 0;
    *type = head[0];
    b->n = 1;
    b->n_dims = (int)head[2];
    for (int d = 0; d < b->n_dims; d++) {
        if (!fixture_take(c, &dim, sizeof dim) || dim > (1u << 24))
            return 0;
        b->dims[d] = dim;
        b->n *= dim;
        if ((uint64_t)b->n > c->left)
            return 0;
    }
    return fixture_take(c, b->name, head[1]);
}

static inline int fixture_read_values(fixture_cursor *c, fixture_block *b, uint32_t type) {
    size_t n = (size_t)b->n;
    if (type == FIXTURE_I32) {
        b->i32 = malloc(n * 4 + 1);
        return b->i32 && fixture_take(c, b->i32, n * 4);
    }
    b->f32 = malloc(n * 4 + 1);
    if (!b->f32)
        return 0;
    if (type == FIXTURE_F32)
        return fixture_take(c, b->f32, n * 4);
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        if (!fixture_take(c, &half, 2))
            return 0;
        uint32_t bits = (uint32_t)half << 16;
        memcpy(&b->f32[i], &bits, 4);
    }
    return 1;
}

/* The blocks of `n` bytes at `bytes`; NULL if they are not a fixture. */
static inline fixture *fixture_parse(const void *bytes, size_t n) {
    fixture_cursor c = {bytes, n};
    char magic[8];
    fixture *f = calloc(1, sizeof *f);
    if (!f || !fixture_take(&c, magic, 8) || memcmp(magic, "T5FIX01\n", 8) != 0)
        goto bad;
    while (c.left > 0) {
        uint32_t type;
        if (f->n_blocks == FIXTURE_MAX_BLOCKS)
            goto bad;
        fixture_block *b = &f->block[f->n_blocks++];
        if (!fixture_read_head(&c, b, &type) || !fixture_read_values(&c, b, type))
            goto bad;
    }
    return f;
bad:
    fixture_free(f);
    return NULL;
}

/* NULL, and a line on stderr, if the file cannot be read. */
static inline fixture *fixture_load(const char *path) {
    fixture *f = NULL;
    unsigned char *bytes = NULL;
    long size = -1;
    FILE *file = fopen(path, "rb");
    if (file && fseek(file, 0, SEEK_END) == 0)
        size = ftell(file);
    if (size > 0 && fseek(file, 0, SEEK_SET) == 0)
        bytes = malloc((size_t)size);
    if (bytes && fread(bytes, 1, (size_t)size, file) == (size_t)size)
        f = fixture_parse(bytes, (size_t)size);
    if (!f)
        fprintf(stderr, "%s: not a readable fixture\n", path);
    free(bytes);
    if (file)
        fclose(file);
    return f;
}

/* NULL if there is none of this name. */
static inline const fixture_block *fixture_find(const fixture *f, const char *prefix,
                                                const char *name) {
    size_t n = strlen(prefix);
    for (int i = 0; i < f->n_blocks; i++)
        if (strncmp(f->block[i].name, prefix, n) == 0 && strcmp(f->block[i].name + n, name) == 0)
            return &f->block[i];
    return NULL;
}

#endif
