#include "base/utf8.h"
#include "io/pickle_internal.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef t5_pickle_machine machine;
typedef t5_pickle_value value;

t5_status t5_pickle_fail(machine *m, const char *format, ...) {
    char text[600];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return t5_fail(m->err, T5_ERR_INPUT, "byte %zu of the pickle: %s", m->opcode_at, text);
}

t5_status t5_pickle_reserve(machine *m, void **array, size_t *cap, size_t n, size_t size) {
    if (n < *cap)
        return T5_OK;
    size_t more = *cap ? 2 * *cap : 64;
    void *grown = realloc(*array, more * size);
    if (!grown)
        return t5_fail(m->err, T5_ERR_MEMORY, "out of memory reading a pickle of %zu bytes", m->n);
    *array = grown;
    *cap = more;
    return T5_OK;
}

static t5_status append(machine *m, t5_pickle_values *list, value v) {
    t5_status status =
        t5_pickle_reserve(m, (void **)&list->v, &list->cap, list->n, sizeof *list->v);
    if (!status)
        list->v[list->n++] = v;
    return status;
}

static t5_status push(machine *m, t5_pickle_kind kind, int64_t at, size_t n) {
    return append(m, &m->stack, (value){.kind = kind, .at = at, .n = (uint32_t)n});
}

/* ---- the bytes ---- */

/* The next n bytes; NULL, with an error, if they are not there. */
static const unsigned char *take(machine *m, size_t n) {
    if (n > m->n - m->at) {
        t5_pickle_fail(m, "the pickle ends inside an opcode");
        return NULL;
    }
    m->at += n;
    return m->data + m->at - n;
}

/* A little-endian number of `bytes` bytes, at most 8. */
static t5_status take_unsigned(machine *m, size_t bytes, uint64_t *number) {
    const unsigned char *b = take(m, bytes);
    *number = 0;
    if (!b)
        return T5_ERR_INPUT;
    for (size_t i = 0; i < bytes; i++)
        *number |= (uint64_t)b[i] << (8 * i);
    return T5_OK;
}

static t5_status push_integer(machine *m, size_t bytes, bool is_signed) {
    uint64_t number;
    t5_status status = take_unsigned(m, bytes, &number);
    if (status)
        return status;
    if (is_signed && bytes > 0 && bytes < 8 && (number >> (8 * bytes - 1)) != 0)
        number |= UINT64_MAX << (8 * bytes);
    return push(m, T5_PICKLE_INTEGER, (int64_t)number, 0);
}

static t5_status push_long(machine *m) {
    uint64_t bytes;
    t5_status status = take_unsigned(m, 1, &bytes);
    if (!status && bytes > 8)
        status = t5_pickle_fail(m, "an integer of %llu bytes", (unsigned long long)bytes);
    return status ? status : push_integer(m, (size_t)bytes, true);
}

static t5_status push_text(machine *m) {
    uint64_t n;
    t5_status status = take_unsigned(m, 4, &n);
    if (status)
        return status;
    const unsigned char *s = take(m, (size_t)n);
    if (!s)
        return T5_ERR_INPUT;
    if (memchr(s, 0, (size_t)n) || !t5_utf8_valid((const char *)s, (size_t)n))
        return t5_pickle_fail(m, "a string that is not UTF-8 or has a NUL");
    return push(m, T5_PICKLE_TEXT, (int64_t)(m->at - n), (size_t)n);
}

/* A line without its end. */
static t5_status take_line(machine *m, const char **line, size_t *n) {
    *line = (const char *)m->data + m->at;
    const char *end = memchr(*line, '\n', m->n - m->at);
    if (!end)
        return t5_pickle_fail(m, "the pickle ends inside an opcode");
    *n = (size_t)(end - *line);
    m->at += *n + 1;
    return T5_OK;
}

static t5_status push_global(machine *m) {
    const char *module, *name;
    size_t module_bytes = 0, name_bytes = 0;
    t5_status status = take_line(m, &module, &module_bytes);
    if (!status)
        status = take_line(m, &name, &name_bytes);
    if (status)
        return status;
    int global = t5_pickle_find_global(module, module_bytes, name, name_bytes);
    if (global < 0)
        return t5_pickle_fail(m,
                              "the pickle uses GLOBAL %.*s.%.*s, which a state dict does not "
                              "need; nothing of it was executed",
                              T5_WEIGHTS_SHOWN(module_bytes), module, T5_WEIGHTS_SHOWN(name_bytes),
                              name);
    return push(m, T5_PICKLE_GLOBAL, global, 0);
}

/* ---- the stack ---- */

/* Removes the topmost value; no mark. */
static t5_status pop(machine *m, value *v) {
    if (m->stack.n == 0 || m->stack.v[m->stack.n - 1].kind == T5_PICKLE_MARK)
        return t5_pickle_fail(m, "nothing on the stack for %s",
                              t5_pickle_opcode_name(m->data[m->opcode_at]));
    *v = m->stack.v[--m->stack.n];
    return T5_OK;
}

/* Index of the first value above the topmost mark. */
static t5_status above_mark(machine *m, size_t *first) {
    for (*first = m->stack.n; *first > 0; --*first) {
        if (m->stack.v[*first - 1].kind == T5_PICKLE_MARK)
            return T5_OK;
    }
    return t5_pickle_fail(m, "no mark on the stack for %s",
                          t5_pickle_opcode_name(m->data[m->opcode_at]));
}

/* The values from `first` on become a tuple, which takes the place of everything from `base` on. */
static t5_status make_tuple(machine *m, size_t first, size_t base) {
    size_t n = m->stack.n - first;
    int64_t at = (int64_t)m->items.n;
    t5_status status = T5_OK;
    for (size_t i = 0; !status && i < n; i++)
        status = append(m, &m->items, m->stack.v[first + i]);
    m->stack.n = base;
    return status ? status : push(m, T5_PICKLE_TUPLE, at, n);
}

static t5_status tuple_of(machine *m, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (i >= m->stack.n || m->stack.v[m->stack.n - 1 - i].kind == T5_PICKLE_MARK)
            return t5_pickle_fail(m, "a tuple of %zu needs more than the stack has", n);
    }
    return make_tuple(m, m->stack.n - n, m->stack.n - n);
}

static t5_status tuple_above_mark(machine *m) {
    size_t first;
    t5_status status = above_mark(m, &first);
    return status ? status : make_tuple(m, first, first - 1);
}

static t5_status set_item(machine *m) {
    value key, v;
    t5_status status = pop(m, &v);
    if (!status)
        status = pop(m, &key);
    if (!status && m->stack.n == 0)
        status = t5_pickle_fail(m, "no dictionary on the stack");
    return status ? status : t5_pickle_set_item(m, m->stack.v[m->stack.n - 1], key, v);
}

static t5_status set_items(machine *m) {
    size_t first;
    t5_status status = above_mark(m, &first);
    if (!status && (first < 2 || (m->stack.n - first) % 2 != 0))
        status = t5_pickle_fail(m, "SETITEMS without a dictionary or with half a pair");
    for (size_t i = first; !status && i < m->stack.n; i += 2)
        status = t5_pickle_set_item(m, m->stack.v[first - 2], m->stack.v[i], m->stack.v[i + 1]);
    if (!status)
        m->stack.n = first - 1;
    return status;
}

/* The attributes of an OrderedDict (_metadata) are no tensors: they go. */
static t5_status build(machine *m) {
    value state = {0}, target = {0};
    t5_status status = pop(m, &state);
    if (!status)
        status = pop(m, &target);
    if (!status && (state.kind != T5_PICKLE_DICT || target.kind != T5_PICKLE_DICT))
        status = t5_pickle_fail(m, "BUILD of %s with %s, expected two dictionaries",
                                t5_pickle_kind_name(target.kind), t5_pickle_kind_name(state.kind));
    return status ? status : append(m, &m->stack, target);
}

static t5_status reduce(machine *m) {
    value function, args, result;
    t5_status status = pop(m, &args);
    if (!status)
        status = pop(m, &function);
    if (!status)
        status = t5_pickle_reduce(m, function, args, &result);
    return status ? status : append(m, &m->stack, result);
}

static t5_status push_dict(machine *m) {
    value dict;
    t5_status status = t5_pickle_new_dict(m, &dict);
    return status ? status : append(m, &m->stack, dict);
}

static t5_status push_storage(machine *m) {
    value id, storage;
    t5_status status = pop(m, &id);
    if (!status)
        status = t5_pickle_storage(m, id, &storage);
    return status ? status : append(m, &m->stack, storage);
}

/* ---- the memo ---- */

/* A place costs two bytes of pickle at least, and they are numbered from 0. */
static t5_status put(machine *m, size_t bytes) {
    uint64_t place;
    value v;
    t5_status status = take_unsigned(m, bytes, &place);
    if (!status && place >= m->n)
        status = t5_pickle_fail(m, "place %llu of the memo in a pickle of %zu bytes",
                                (unsigned long long)place, m->n);
    if (!status)
        status = pop(m, &v);
    if (!status)
        status = append(m, &m->stack, v);
    while (!status && m->memo.n <= place)
        status = append(m, &m->memo, (value){.kind = T5_PICKLE_ABSENT});
    if (!status)
        m->memo.v[place] = v;
    return status;
}

static t5_status get(machine *m, size_t bytes) {
    uint64_t place;
    t5_status status = take_unsigned(m, bytes, &place);
    if (!status && (place >= m->memo.n || m->memo.v[place].kind == T5_PICKLE_ABSENT))
        status = t5_pickle_fail(m, "nothing in place %llu of the memo", (unsigned long long)place);
    return status ? status : append(m, &m->stack, m->memo.v[place]);
}

/* ---- the opcodes ---- */

static t5_status check_protocol(machine *m) {
    uint64_t protocol;
    t5_status status = take_unsigned(m, 1, &protocol);
    if (!status && protocol != 2)
        status = t5_pickle_fail(m, "pickle protocol %llu, expected 2, which torch.save uses",
                                (unsigned long long)protocol);
    return status;
}

static t5_status refuse(machine *m, unsigned char opcode) {
    const char *name = t5_pickle_opcode_name(opcode);
    if (!name)
        return t5_pickle_fail(m, "0x%02x is no opcode", opcode);
    return t5_pickle_fail(m, "the pickle uses the opcode %s, which a state dict does not need",
                          name);
}

/* The opcode that was just taken. */
static t5_status execute(machine *m, unsigned char opcode) {
    switch (opcode) {
    case 0x80: /* PROTO */
        return check_protocol(m);
    case '(':
        return push(m, T5_PICKLE_MARK, 0, 0);
    case 'N':
        return push(m, T5_PICKLE_NONE, 0, 0);
    case 0x88: /* NEWTRUE */
    case 0x89: /* NEWFALSE */
        return push(m, T5_PICKLE_BOOLEAN, opcode == 0x88, 0);
    case 'K':
        return push_integer(m, 1, false);
    case 'M':
        return push_integer(m, 2, false);
    case 'J':
        return push_integer(m, 4, true);
    case 0x8a: /* LONG1 */
        return push_long(m);
    case 'X':
        return push_text(m);
    case 'c':
        return push_global(m);
    case ')':
        return tuple_of(m, 0);
    case 0x85: /* TUPLE1 */
    case 0x86: /* TUPLE2 */
    case 0x87: /* TUPLE3 */
        return tuple_of(m, opcode - 0x84u);
    case 't':
        return tuple_above_mark(m);
    case '}':
        return push_dict(m);
    case 's':
        return set_item(m);
    case 'u':
        return set_items(m);
    case 'q':
        return put(m, 1);
    case 'r':
        return put(m, 4);
    case 'h':
        return get(m, 1);
    case 'j':
        return get(m, 4);
    case 'Q':
        return push_storage(m);
    case 'R':
        return reduce(m);
    case 'b':
        return build(m);
    default:
        return refuse(m, opcode);
    }
}

t5_status t5_pickle_run(machine *m, value *result) {
    t5_status status = T5_OK;
    while (!status) {
        m->opcode_at = m->at;
        const unsigned char *opcode = take(m, 1);
        if (!opcode)
            return T5_ERR_INPUT;
        if (*opcode == '.')
            break;
        status = execute(m, *opcode);
    }
    if (!status)
        status = pop(m, result);
    if (!status && m->stack.n != 0)
        status = t5_pickle_fail(m, "%zu values are left on the stack", m->stack.n);
    return status;
}

void t5_pickle_machine_free(machine *m) {
    free(m->stack.v);
    free(m->memo.v);
    free(m->items.v);
    free(m->pairs);
    free(m->dicts);
}
