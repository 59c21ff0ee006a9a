/* Reads curve_t5small_NAME.txt, the format at the top of make_curve.py. Test code: header only. */
#ifndef TESTS_ORACLE_CURVE_H
#define TESTS_ORACLE_CURVE_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { CURVE_MAX_PARAMS = 256, CURVE_MAX_STEPS = 1000 };

typedef struct curve_param {
    char name[96];
    float deviation; /* 0: all ones */
} curve_param;

typedef struct curve_step {
    double rate, loss, loss64;
    int n_enc, n_dec;
    uint64_t hash; /* of the batch's tokens: curve_hash over the inputs, then over the targets */
} curve_step;

typedef struct curve {
    int n_params, n_steps;
    curve_param param[CURVE_MAX_PARAMS];
    curve_step step[CURVE_MAX_STEPS];
} curve;

static const uint64_t curve_hash_start = 0xCBF29CE484222325u;

/* FNV-1a, an id at a time. */
static inline uint64_t curve_hash(uint64_t hash, const int32_t *ids, int n) {
    for (int i = 0; i < n; i++)
        hash = (hash ^ (uint32_t)ids[i]) * 0x100000001B3u;
    return hash;
}

/* A line without its end. */
static inline bool curve_parse_line(const char *line, curve *c) {
    int end = 0;
    if (line[0] == '#')
        return true;
    if (strncmp(line, "param ", 6) == 0 && c->n_params < CURVE_MAX_PARAMS) {
        curve_param *p = &c->param[c->n_params++];
        return sscanf(line, "param %95s %f%n", p->name, &p->deviation, &end) == 2 &&
               line[end] == '\0' && p->deviation >= 0;
    }
    if (strncmp(line, "step ", 5) == 0 && c->n_steps < CURVE_MAX_STEPS) {
        curve_step *s = &c->step[c->n_steps++];
        unsigned long long hash = 0;
        const int n = sscanf(line, "step %lf %d %d %16llx %lf %lf%n", &s->rate, &s->n_enc,
                             &s->n_dec, &hash, &s->loss, &s->loss64, &end);
        s->hash = hash;
        return n == 6 && line[end] == '\0' && s->loss > 0 && s->loss64 > 0;
    }
    return false;
}

/* Every line must end and make sense, and there must be some of either kind. */
static inline bool curve_parse(FILE *file, curve *c) {
    char line[256];
    bool good = true;
    memset(c, 0, sizeof *c);
    while (good && fgets(line, sizeof line, file)) {
        const size_t n = strlen(line);
        if ((good = n > 0 && line[n - 1] == '\n')) {
            line[n - 1] = '\0';
            good = curve_parse_line(line, c);
        }
    }
    return good && !ferror(file) && c->n_params > 0 && c->n_steps > 0;
}

#endif
