/* What the sources of the pickle reader share: pickle.c (the tensors of a state dict),
 * pickle_machine.c (the opcodes), pickle_objects.c (dictionaries, storages, tensors),
 * pickle_names.c (what may be named). */
#ifndef T5_IO_PICKLE_INTERNAL_H
#define T5_IO_PICKLE_INTERNAL_H
#include "io/pickle.h"
#include <stdbool.h>

typedef enum {
    T5_PICKLE_ABSENT, /* nothing was put in this place of the memo */
    T5_PICKLE_MARK,
    T5_PICKLE_NONE,
    T5_PICKLE_BOOLEAN,
    T5_PICKLE_INTEGER, /* at: the number */
    T5_PICKLE_TEXT,    /* at, n: offset in the data, bytes; UTF-8 */
    T5_PICKLE_GLOBAL,  /* at: a t5_pickle_global */
    T5_PICKLE_TUPLE,   /* at, n: first element in `items`, number */
    T5_PICKLE_DICT,    /* at: index in `dicts` */
    T5_PICKLE_STORAGE, /* at: in `items`, the tuple that describes it, see pickle_objects.c */
    T5_PICKLE_TENSOR   /* at: likewise */
} t5_pickle_kind;

typedef struct t5_pickle_value {
    t5_pickle_kind kind;
    uint32_t n;
    int64_t at;
} t5_pickle_value;

typedef struct t5_pickle_values {
    t5_pickle_value *v;
    size_t n, cap;
} t5_pickle_values;

/* An entry of a dictionary; next: index of its next entry, + 1; 0: none. */
typedef struct t5_pickle_pair {
    t5_pickle_value key, value;
    size_t next;
} t5_pickle_pair;
typedef struct t5_pickle_dict {
    size_t first, last; /* index in `pairs`, + 1; 0: empty */
} t5_pickle_dict;

/* Every byte of the pickle adds a few elements at most to one of the arrays, so its size bounds
 * them. Values refer to others by index, and nothing follows such references to any depth. */
typedef struct t5_pickle_machine {
    const unsigned char *data;
    size_t n, at, opcode_at;
    t5_pickle_values stack, memo, items;
    t5_pickle_pair *pairs;
    size_t n_pairs, cap_pairs;
    t5_pickle_dict *dicts;
    size_t n_dicts, cap_dicts;
    t5_error *err;
} t5_pickle_machine;

/* ---- pickle_names.c ---- */

typedef enum {
    T5_PICKLE_ORDERED_DICT,
    T5_PICKLE_REBUILD_TENSOR,
    T5_PICKLE_REBUILD_PARAMETER,
    T5_PICKLE_FIRST_STORAGE /* and all that follow: types of storages */
} t5_pickle_global;
/* -1: no name that a state dict needs. */
int t5_pickle_find_global(const char *module, size_t module_bytes, const char *name,
                          size_t name_bytes);
/* "torch.FloatStorage" */
const char *t5_pickle_global_name(int64_t global);
/* False: of a type that is not read here. */
bool t5_pickle_storage_type(int64_t global, t5_weights_type *type);
/* "an integer", "a tuple", ... */
const char *t5_pickle_kind_name(t5_pickle_kind kind);
/* "BINPUT"; NULL: there is no such opcode. */
const char *t5_pickle_opcode_name(unsigned char opcode);

/* ---- pickle_machine.c ---- */

/* Runs the pickle: *result is what it leaves. The machine is zero before but for data, n and err,
 * and always to be freed. */
t5_status t5_pickle_run(t5_pickle_machine *m, t5_pickle_value *result);
void t5_pickle_machine_free(t5_pickle_machine *m);
/* Fails with "byte N of the pickle: text". */
t5_status t5_pickle_fail(t5_pickle_machine *m, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Makes room for one more than n elements. */
t5_status t5_pickle_reserve(t5_pickle_machine *m, void **array, size_t *cap, size_t n, size_t size);

/* ---- pickle_objects.c ---- */

/* *value becomes a new, empty dictionary. */
t5_status t5_pickle_new_dict(t5_pickle_machine *m, t5_pickle_value *value);
/* target[key] = value; a key that is there already is found only when the tensors are listed. */
t5_status t5_pickle_set_item(t5_pickle_machine *m, t5_pickle_value target, t5_pickle_value key,
                             t5_pickle_value value);
/* What a persistent id, a tuple, stands for: a storage. */
t5_status t5_pickle_storage(t5_pickle_machine *m, t5_pickle_value id, t5_pickle_value *storage);
/* What a "call" of a global with arguments stands for; none is made. */
t5_status t5_pickle_reduce(t5_pickle_machine *m, t5_pickle_value function, t5_pickle_value args,
                           t5_pickle_value *result);

/* The elements of the tuple that describes a storage: ("storage", type, key, device, elements) */
enum { T5_PICKLE_S_TYPE = 1, T5_PICKLE_S_KEY, T5_PICKLE_S_DEVICE, T5_PICKLE_S_COUNT };
/* ... and a tensor: (storage, first element, sizes, strides, requires_grad, hooks[, metadata]) */
enum { T5_PICKLE_T_STORAGE, T5_PICKLE_T_FIRST, T5_PICKLE_T_SIZES, T5_PICKLE_T_STRIDES };

#endif
