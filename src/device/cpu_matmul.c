/* Matrix products. Making a oneDNN primitive for given sizes generates code: some tenths of a
 * millisecond and 50 to 100 KB, too much for every number of tokens that a batch may have. One that
 * takes the sizes when it runs is as fast, but for A B^T of few rows (measured with oneDNN 2.6:
 * 0.75 of the speed at 61 rows); so large ones of those get primitives of their own. All are kept
 * in a hash table of bounded size, where the least recently used one makes room. */
#include "device/cpu.h"
#include "device/cpu_dnnl.h"
#include <assert.h>
#include <omp.h>
#include <string.h>

enum { CAPACITY = 512, SLOTS = 1024, NONE = -1 };
#define OWN_PRIMITIVE 5e7 /* m n k from which the code pays after a few runs */

typedef struct entry {
    t5_product key;
    t5_dnnl_product product;
    int next;         /* in the same slot */
    int older, newer; /* order of use */
} entry;

struct t5_cpu_matmul {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    entry *entries;
    int count, oldest, newest;
    int slots[SLOTS];
};

t5_status t5_cpu_matmul_create(t5_cpu_matmul **matmul, t5_error *err) {
    t5_cpu_matmul *mm = calloc(1, sizeof *mm);
    *matmul = mm;
    if (mm)
        mm->entries = calloc(CAPACITY, sizeof *mm->entries);
    if (!mm || !mm->entries)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for the CPU device");
    mm->oldest = mm->newest = NONE;
    for (int i = 0; i < SLOTS; i++)
        mm->slots[i] = NONE;
    dnnl_status_t status = dnnl_engine_create(&mm->engine, dnnl_cpu, 0);
    if (status == dnnl_success)
        status = dnnl_stream_create(&mm->stream, mm->engine, dnnl_stream_default_flags);
    if (status != dnnl_success)
        return t5_fail(err, T5_ERR_DEVICE, "oneDNN cannot use this processor: %s",
                       t5_dnnl_status_name(status));
    return T5_OK;
}

void t5_cpu_matmul_destroy(t5_cpu_matmul *mm) {
    if (!mm)
        return;
    for (int i = 0; mm->entries && i < mm->count; i++)
        t5_dnnl_product_destroy(&mm->entries[i].product);
    if (mm->stream)
        dnnl_stream_destroy(mm->stream);
    if (mm->engine)
        dnnl_engine_destroy(mm->engine);
    free(mm->entries);
    free(mm);
}

static bool same(const t5_product *x, const t5_product *y) {
    return x->m == y->m && x->n == y->n && x->k == y->k && x->lda == y->lda && x->ldb == y->ldb &&
           x->ldc == y->ldc && x->alpha == y->alpha && x->ta == y->ta && x->tb == y->tb &&
           x->add == y->add && x->type == y->type && x->c_type == y->c_type;
}

static int slot_of(const t5_product *p) {
    uint32_t alpha;
    memcpy(&alpha, &p->alpha, sizeof alpha);
    uint64_t words[] = {(uint64_t)p->m,    (uint64_t)p->n,      (uint64_t)p->k,  (uint64_t)p->lda,
                        (uint64_t)p->ldb,  (uint64_t)p->ldc,    (uint64_t)p->ta, (uint64_t)p->tb,
                        (uint64_t)p->type, (uint64_t)p->c_type, p->add,          alpha};
    uint64_t hash = 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        hash = (hash ^ words[i]) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 29;
    }
    return (int)(hash % SLOTS);
}

static void use_unlink(t5_cpu_matmul *mm, int i) {
    entry *e = &mm->entries[i];
    *(e->older == NONE ? &mm->oldest : &mm->entries[e->older].newer) = e->newer;
    *(e->newer == NONE ? &mm->newest : &mm->entries[e->newer].older) = e->older;
}

static void use_newest(t5_cpu_matmul *mm, int i) {
    entry *e = &mm->entries[i];
    e->older = mm->newest;
    e->newer = NONE;
    *(mm->newest == NONE ? &mm->oldest : &mm->entries[mm->newest].newer) = i;
    mm->newest = i;
}

/* A free entry: a new one, or the one that was not used for longest. */
static int entry_free(t5_cpu_matmul *mm) {
    if (mm->count < CAPACITY)
        return mm->count++;
    int i = mm->oldest, *link = &mm->slots[slot_of(&mm->entries[i].key)];
    while (*link != i)
        link = &mm->entries[*link].next;
    *link = mm->entries[i].next;
    use_unlink(mm, i);
    t5_dnnl_product_destroy(&mm->entries[i].product);
    return i;
}

static void fail(t5_cpu *cpu, const t5_product *p, dnnl_status_t status) {
    t5_fail(&cpu->error, status == dnnl_out_of_memory ? T5_ERR_MEMORY : T5_ERR_DEVICE,
            "oneDNN: matrix product (%lld x %lld) (%lld x %lld): %s", (long long)p->m,
            (long long)p->k, (long long)p->k, (long long)p->n, t5_dnnl_status_name(status));
}

static const t5_dnnl_product *find(t5_cpu *cpu, const t5_product *key) {
    t5_cpu_matmul *mm = cpu->matmul;
    int slot = slot_of(key), i = mm->slots[slot];
    while (i != NONE && !same(&mm->entries[i].key, key))
        i = mm->entries[i].next;
    if (i != NONE) {
        use_unlink(mm, i);
        use_newest(mm, i);
        return &mm->entries[i].product;
    }
    t5_dnnl_product product = {0};
    dnnl_status_t status = t5_dnnl_product_create(mm->engine, key, &product);
    if (status != dnnl_success) {
        t5_dnnl_product_destroy(&product);
        fail(cpu, key, status);
        return NULL;
    }
    i = entry_free(mm);
    mm->entries[i] = (entry){.key = *key, .product = product, .next = mm->slots[slot]};
    mm->slots[slot] = i;
    use_newest(mm, i);
    return &mm->entries[i].product;
}

static void execute(t5_cpu *cpu, const t5_dnnl_product *product, const t5_product *actual, void *a,
                    void *b, void *c) {
    t5_cpu_matmul *mm = cpu->matmul;
    void *scratch = NULL;
    if (product->scratchpad_bytes > 0) {
        scratch = t5_cpu_scratch(cpu, product->scratchpad_bytes);
        if (!scratch)
            return;
    }
    dnnl_status_t status =
        t5_dnnl_product_run(mm->engine, mm->stream, product, actual, a, b, c, scratch);
    if (status != dnnl_success)
        fail(cpu, actual, status);
}

/* No product at all: C = beta C. */
static void empty_product(t5_device *dev, float beta, t5_mat c) {
    size_t size = t5_dtype_size(c.type);
    for (int64_t i = 0; beta == 0.0f && i < c.rows; i++)
        memset((char *)c.p + (size_t)(i * c.ld) * size, 0, (size_t)c.cols * size);
    (void)dev;
}

/* See above; sums with a scale are the other case where the general primitive is slow. */
static bool wants_own(const t5_product *p) {
    bool large = (double)p->m * (double)p->n * (double)p->k >= OWN_PRIMITIVE;
    return large && ((p->tb && !p->ta) || (p->add && p->alpha != 1.0f));
}

void t5_cpu_matmul_run(t5_device *dev, bool ta, t5_mat a, bool tb, t5_mat b, float alpha,
                       float beta, t5_mat c) {
    t5_cpu *cpu = t5_cpu_of(dev);
    t5_product actual = {.m = c.rows,
                         .n = c.cols,
                         .k = ta ? a.rows : a.cols,
                         .lda = a.ld,
                         .ldb = b.ld,
                         .ldc = c.ld,
                         .alpha = alpha,
                         .ta = ta,
                         .tb = tb,
                         .add = beta != 0.0f,
                         .type = a.type,
                         .c_type = c.type};
    assert(a.type == b.type && alpha != 0.0f && (beta == 0.0f || beta == 1.0f));
    assert((ta ? a.cols : a.rows) == actual.m && (tb ? b.cols : b.rows) == actual.k);
    assert((tb ? b.rows : b.cols) == actual.n);
    if (t5_cpu_failed(cpu) || actual.m == 0 || actual.n == 0)
        return;
    if (actual.k == 0) {
        empty_product(dev, beta, c);
        return;
    }
    /* oneDNN divides its work by the caller's OpenMP setting, when it makes and when it runs */
    int before = omp_get_max_threads();
    if (before != cpu->threads)
        omp_set_num_threads(cpu->threads);
    bool own = wants_own(&actual);
    t5_product key = own ? actual : t5_product_any_size(actual);
    const t5_dnnl_product *product = find(cpu, &key);
    if (product)
        execute(cpu, product, &actual, a.p, b.p, c.p);
    if (before != cpu->threads)
        omp_set_num_threads(before);
}
