/* Inside the configuration module: what its files share while one configuration is read. */
#ifndef T5_BASE_CONFIG_READER_H
#define T5_BASE_CONFIG_READER_H
#include "base/config.h"
#include "base/config_source.h"
#include <libconfig.h>

/* How the value of a key is read and stored; the key's `type` says it to people. */
enum {
    T5_KEY_INTEGER,   /* int */
    T5_KEY_INTEGER64, /* int64_t or uint64_t */
    T5_KEY_NUMBER,    /* double */
    T5_KEY_BOOLEAN,   /* bool */
    T5_KEY_STRING,    /* char *, owned */
    T5_KEY_PATH,      /* char *, owned, resolved against the configuration's directory */
    T5_KEY_CHOICE,    /* an enum: the number of the alternative */
    T5_KEY_LOSS,      /* t5_loss_spec */
    T5_KEY_SPLIT,     /* double[3] */
    T5_KEY_EVERY,     /* t5_every */
    T5_KEY_INTEGERS,  /* lists: a pointer, and an int at count_offset */
    T5_KEY_INTEGERS64,
    T5_KEY_NUMBERS,
    T5_KEY_LOSSES,
    T5_KEY_PLAN, /* read in a second pass */
    T5_KEY_NODE  /* a name of a node: checked here, looked up in the second pass */
};

typedef struct t5_config_reader {
    t5_config *config;
    t5_config_source source;
    config_t tree; /* a setting that came from --set has its argument as hook */
    t5_error *err;
} t5_config_reader;

/* ---- config_keys.c ---- */

/* The key of that path; NULL if there is none. */
const t5_config_key *t5_config_find_key(const char *path);
/* Is `path` the group of some key? */
bool t5_config_is_group(const char *path);
/* Is the key part of a list's or a loss's element rather than of t5_config? */
bool t5_config_is_nested(const t5_config_key *key);

/* ---- config_error.c ---- */

/* Fails with "FILE:LINE: path: text". setting: where; NULL: the file as a whole. */
t5_status t5_config_fail(t5_config_reader *r, const config_setting_t *setting, const char *path,
                         const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Fails with "...: found VALUE, allowed: ALLOWED". */
t5_status t5_config_fail_value(t5_config_reader *r, const config_setting_t *setting,
                               const char *path, const char *allowed);
/* The key's `allowed` as a phrase: "an integer in [1, 5]". */
enum { T5_CONFIG_ALLOWED = 400 };
void t5_config_describe_allowed(const t5_config_key *key, char out[T5_CONFIG_ALLOWED]);
/* Fails because of a key that is in no table. shown: as the user wrote it; schema: with "[]". */
t5_status t5_config_fail_unknown(t5_config_reader *r, const config_setting_t *setting,
                                 const char *shown, const char *schema);
t5_status t5_config_fail_memory(t5_config_reader *r);
/* An error is one line of UTF-8, whatever text it quotes: what does not fit becomes "?". */
void t5_config_make_printable(char *text);
/* "--set ARGUMENT", cut where it is long: the place of an error in an argument. */
enum { T5_CONFIG_PLACE = 300 };
void t5_config_describe_set(const char *set, char place[T5_CONFIG_PLACE]);

/* ---- config_tree.c ---- */

/* Parses source and applies the --set arguments. */
t5_status t5_config_tree_read(t5_config_reader *r, const char *const *sets, int n_sets);
/* Parses "v = text" into tree (initialised here; always to be destroyed). T5_ERR_INPUT if it is not
 * one value in libconfig's syntax. */
t5_status t5_config_parse_value(const char *text, config_t *tree, config_setting_t **value,
                                t5_error *err);

/* ---- config_value.c ---- */

/* Checks a setting against its key and stores it at base + key->offset. */
t5_status t5_config_store(t5_config_reader *r, const t5_config_key *key,
                          const config_setting_t *setting, const char *shown, void *base);
/* Stores the key's default. */
t5_status t5_config_store_default(t5_config_reader *r, const t5_config_key *key, void *base);
/* Stores every member of a group. schema: path prefix in the table of keys ("" or "train."); shown:
 * the same with list indices, for messages. */
t5_status t5_config_store_group(t5_config_reader *r, const config_setting_t *group,
                                const char *schema, const char *shown, void *base);
/* Stores the members of a loss's group into loss; what is not given gets the default of its kind.
 */
t5_status t5_config_store_loss(t5_config_reader *r, const config_setting_t *setting,
                               const char *shown, t5_loss_spec *loss);

/* ---- config_lists.c ---- */

t5_status t5_config_store_list(t5_config_reader *r, const t5_config_key *key,
                               const config_setting_t *setting, const char *shown, void *base);
t5_status t5_config_store_split(t5_config_reader *r, const t5_config_key *key,
                                const config_setting_t *setting, const char *shown,
                                double split[3]);

/* ---- config_every.c ---- */

/* "N epochs", "1 step", "never", ... */
t5_status t5_config_store_every(t5_config_reader *r, const t5_config_key *key,
                                const config_setting_t *setting, const char *shown,
                                t5_every *every);

/* ---- config_plan.c ---- */

/* The second pass: plan nodes, whose defaults are train.*'s values. */
t5_status t5_config_read_plan(t5_config_reader *r);

/* ---- config_check.c ---- */

/* Presets, lists of one where nothing varies, and everything that involves more than one key. */
t5_status t5_config_complete(t5_config_reader *r);

#endif
