/* The only file that knows that oneDNN's 2.x and 3.x C interfaces differ: 3.x makes memory
 * descriptors opaque and drops operation descriptors. */
#include "device/cpu_dnnl.h"

#if DNNL_VERSION_MAJOR >= 3

typedef dnnl_memory_desc_t desc; /* a handle */
typedef const_dnnl_memory_desc_t desc_ref;

static desc_ref ref(const desc *d) {
    return *d;
}

static dnnl_status_t desc_init(desc *d, const dnnl_dims_t dims, dnnl_data_type_t type,
                               const dnnl_dims_t strides) {
    return dnnl_memory_desc_create_with_strides(d, 2, dims, type, strides);
}

static void desc_drop(desc *d) {
    if (*d)
        dnnl_memory_desc_destroy(*d);
}

static dnnl_status_t describe(dnnl_engine_t engine, const desc *a, const desc *b, const desc *c,
                              dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *out) {
    return dnnl_matmul_primitive_desc_create(out, engine, *a, *b, NULL, *c, attr);
}

static dnnl_status_t append_scale(dnnl_post_ops_t ops, float alpha) {
    return dnnl_post_ops_append_eltwise(ops, dnnl_eltwise_linear, alpha, 0.0f);
}

static dnnl_status_t append_sum(dnnl_post_ops_t ops) {
    return dnnl_post_ops_append_sum(ops, 1.0f, 0, dnnl_data_type_undef);
}

#else

typedef dnnl_memory_desc_t desc; /* a struct */
typedef const dnnl_memory_desc_t *desc_ref;

static desc_ref ref(const desc *d) {
    return d;
}

static dnnl_status_t desc_init(desc *d, const dnnl_dims_t dims, dnnl_data_type_t type,
                               const dnnl_dims_t strides) {
    return dnnl_memory_desc_init_by_strides(d, 2, dims, type, strides);
}

static void desc_drop(desc *d) {
    (void)d;
}

static dnnl_status_t describe(dnnl_engine_t engine, const desc *a, const desc *b, const desc *c,
                              dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *out) {
    dnnl_matmul_desc_t operation;
    dnnl_status_t status = dnnl_matmul_desc_init(&operation, a, b, NULL, c);
    if (status != dnnl_success)
        return status;
    return dnnl_primitive_desc_create(out, &operation, attr, engine, NULL);
}

static dnnl_status_t append_scale(dnnl_post_ops_t ops, float alpha) {
    return dnnl_post_ops_append_eltwise(ops, 1.0f, dnnl_eltwise_linear, alpha, 0.0f);
}

static dnnl_status_t append_sum(dnnl_post_ops_t ops) {
    return dnnl_post_ops_append_sum(ops, 1.0f);
}

#endif

static dnnl_data_type_t data_type(t5_dtype type) {
    return type == T5_F32 ? dnnl_f32 : dnnl_bf16;
}

/* A transposed operand is the same memory with its strides exchanged. */
static dnnl_status_t operand(desc *d, int64_t rows, int64_t cols, int64_t ld, bool transposed,
                             t5_dtype type) {
    dnnl_dims_t dims = {rows, cols};
    dnnl_dims_t strides = {transposed ? 1 : ld, transposed ? ld : 1};
    return desc_init(d, dims, data_type(type), strides);
}

/* Scratch memory of the caller; alpha scales the product, then C is added. */
static dnnl_status_t attributes(const t5_product *p, dnnl_primitive_attr_t *attr) {
    dnnl_post_ops_t ops = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(attr);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
    if (status == dnnl_success)
        status = dnnl_post_ops_create(&ops);
    if (status == dnnl_success && p->alpha != 1.0f)
        status = append_scale(ops, p->alpha);
    if (status == dnnl_success && p->add)
        status = append_sum(ops);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_post_ops(*attr, ops);
    if (ops)
        dnnl_post_ops_destroy(ops);
    return status;
}

static dnnl_status_t memories(dnnl_engine_t engine, const_dnnl_primitive_desc_t pd, const desc *a,
                              const desc *b, const desc *c, t5_dnnl_product *out) {
    desc_ref scratchpad = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    dnnl_status_t status = dnnl_memory_create(&out->a, ref(a), engine, DNNL_MEMORY_NONE);
    if (status == dnnl_success)
        status = dnnl_memory_create(&out->b, ref(b), engine, DNNL_MEMORY_NONE);
    if (status == dnnl_success)
        status = dnnl_memory_create(&out->c, ref(c), engine, DNNL_MEMORY_NONE);
    out->scratchpad_bytes = scratchpad ? dnnl_memory_desc_get_size(scratchpad) : 0;
    if (status == dnnl_success && out->scratchpad_bytes > 0)
        status = dnnl_memory_create(&out->scratchpad, scratchpad, engine, DNNL_MEMORY_NONE);
    return status;
}

dnnl_status_t t5_dnnl_product_create(dnnl_engine_t engine, const t5_product *p,
                                     t5_dnnl_product *out) {
    desc a = {0}, b = {0}, c = {0};
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status = operand(&a, p->m, p->k, p->lda, p->ta, p->type);
    if (status == dnnl_success)
        status = operand(&b, p->k, p->n, p->ldb, p->tb, p->type);
    if (status == dnnl_success)
        status = operand(&c, p->m, p->n, p->ldc, false, p->c_type);
    if (status == dnnl_success)
        status = attributes(p, &attr);
    if (status == dnnl_success)
        status = describe(engine, &a, &b, &c, attr, &pd);
    if (status == dnnl_success)
        status = dnnl_primitive_create(&out->primitive, pd);
    if (status == dnnl_success)
        status = memories(engine, pd, &a, &b, &c, out);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    desc_drop(&a);
    desc_drop(&b);
    desc_drop(&c);
    return status;
}

void t5_dnnl_product_destroy(t5_dnnl_product *product) {
    dnnl_memory_t memory[] = {product->a, product->b, product->c, product->scratchpad};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        if (memory[i])
            dnnl_memory_destroy(memory[i]);
    if (product->primitive)
        dnnl_primitive_destroy(product->primitive);
    *product = (t5_dnnl_product){0};
}

const char *t5_dnnl_status_name(dnnl_status_t status) {
    switch (status) {
    case dnnl_out_of_memory:
        return "out of memory";
    case dnnl_invalid_arguments:
        return "invalid arguments";
    case dnnl_unimplemented:
        return "not implemented on this processor";
    case dnnl_runtime_error:
        return "runtime error";
    default:
        return "failed";
    }
}
