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

static dnnl_status_t append_sum(dnnl_post_ops_t ops, float factor) {
    return dnnl_post_ops_append_sum(ops, factor, 0, dnnl_data_type_undef);
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

static dnnl_status_t append_sum(dnnl_post_ops_t ops, float factor) {
    return dnnl_post_ops_append_sum(ops, factor);
}

#endif

static dnnl_data_type_t data_type(t5_dtype type) {
    return type == T5_F32 ? dnnl_f32 : dnnl_bf16;
}

typedef struct operands {
    desc a, b, c;
} operands;

/* A transposed operand is the same memory with its strides exchanged. */
static dnnl_status_t operand(desc *d, int64_t rows, int64_t cols, int64_t ld, bool transposed,
                             t5_dtype type) {
    dnnl_dims_t dims = {rows, cols};
    dnnl_dims_t strides = {transposed ? 1 : ld, transposed ? ld : 1};
    return desc_init(d, dims, data_type(type), strides);
}

/* Fills o, which starts zeroed; the caller drops it whatever is returned. */
static dnnl_status_t operands_init(operands *o, const t5_product *p) {
    dnnl_status_t status = operand(&o->a, p->m, p->k, p->lda, p->ta, p->type);
    if (status == dnnl_success)
        status = operand(&o->b, p->k, p->n, p->ldb, p->tb, p->type);
    if (status == dnnl_success)
        status = operand(&o->c, p->m, p->n, p->ldc, false, p->c_type);
    return status;
}

static void operands_drop(operands *o) {
    desc_drop(&o->a);
    desc_drop(&o->b);
    desc_drop(&o->c);
}

t5_product t5_product_any_size(t5_product product) {
    product.m = product.n = product.k = DNNL_RUNTIME_DIM_VAL;
    product.lda = product.ldb = product.ldc = DNNL_RUNTIME_DIM_VAL;
    return product;
}

/* Scratch memory of the caller, and alpha (A B + C / alpha): oneDNN is only fast when the sum comes
 * before the scale (2.6 falls back to plain loops, a thousand times slower). */
static dnnl_status_t attributes(const t5_product *p, dnnl_primitive_attr_t *attr) {
    dnnl_post_ops_t ops = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(attr);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
    if (status == dnnl_success)
        status = dnnl_post_ops_create(&ops);
    if (status == dnnl_success && p->add)
        status = append_sum(ops, 1.0f / p->alpha);
    if (status == dnnl_success && p->alpha != 1.0f)
        status = append_scale(ops, p->alpha);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_post_ops(*attr, ops);
    if (ops)
        dnnl_post_ops_destroy(ops);
    return status;
}

static dnnl_status_t scratchpad(dnnl_engine_t engine, const_dnnl_primitive_desc_t pd,
                                t5_dnnl_product *out) {
    desc_ref md = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    out->scratchpad_bytes = md ? dnnl_memory_desc_get_size(md) : 0;
    if (out->scratchpad_bytes == 0)
        return dnnl_success;
    return dnnl_memory_create(&out->scratchpad, md, engine, DNNL_MEMORY_NONE);
}

dnnl_status_t t5_dnnl_product_create(dnnl_engine_t engine, const t5_product *product,
                                     t5_dnnl_product *out) {
    operands o = {0};
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status = operands_init(&o, product);
    if (status == dnnl_success)
        status = attributes(product, &attr);
    if (status == dnnl_success)
        status = describe(engine, &o.a, &o.b, &o.c, attr, &pd);
    if (status == dnnl_success)
        status = dnnl_primitive_create(&out->primitive, pd);
    if (status == dnnl_success)
        status = scratchpad(engine, pd, out);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    operands_drop(&o);
    return status;
}

dnnl_status_t t5_dnnl_product_run(dnnl_engine_t engine, dnnl_stream_t stream,
                                  const t5_dnnl_product *product, const t5_product *actual, void *a,
                                  void *b, void *c, void *scratch) {
    operands o = {0};
    dnnl_exec_arg_t args[4] = {
        {DNNL_ARG_SRC, NULL}, {DNNL_ARG_WEIGHTS, NULL}, {DNNL_ARG_DST, NULL}};
    dnnl_status_t status = operands_init(&o, actual);
    int n = 3;
    if (status == dnnl_success)
        status = dnnl_memory_create(&args[0].memory, ref(&o.a), engine, a);
    if (status == dnnl_success)
        status = dnnl_memory_create(&args[1].memory, ref(&o.b), engine, b);
    if (status == dnnl_success)
        status = dnnl_memory_create(&args[2].memory, ref(&o.c), engine, c);
    if (status == dnnl_success && product->scratchpad) {
        status = dnnl_memory_set_data_handle(product->scratchpad, scratch);
        args[n++] = (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, product->scratchpad};
    }
    if (status == dnnl_success)
        status = dnnl_primitive_execute(product->primitive, stream, n, args);
    if (status == dnnl_success)
        status = dnnl_stream_wait(stream);
    for (int i = 0; i < 3; i++)
        if (args[i].memory)
            dnnl_memory_destroy(args[i].memory);
    operands_drop(&o);
    return status;
}

void t5_dnnl_product_destroy(t5_dnnl_product *product) {
    if (product->scratchpad)
        dnnl_memory_destroy(product->scratchpad);
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
