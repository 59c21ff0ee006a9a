/* A oneDNN matrix product, the same for its 2.x and 3.x C interfaces. */
#ifndef T5_DEVICE_CPU_DNNL_H
#define T5_DEVICE_CPU_DNNL_H
#include "device/device.h"
#include <dnnl.h>

/* What a product is, but for the addresses: C (m, n) = alpha op(A) op(B) + beta C. */
typedef struct t5_product {
    int64_t m, n, k, lda, ldb, ldc;
    float alpha;
    bool ta, tb, add; /* add: beta is 1 */
    t5_dtype type, c_type;
} t5_product;

/* A compiled product: for exactly one t5_product, or (t5_product_any_size) for all that differ in
 * nothing but m .. ldc. */
typedef struct t5_dnnl_product {
    dnnl_primitive_t primitive;
    dnnl_memory_t scratchpad; /* without an address; NULL: none needed */
    size_t scratchpad_bytes;
} t5_dnnl_product;

t5_product t5_product_any_size(t5_product product);

/* Fills out, which starts zeroed; the caller destroys it whatever is returned. */
dnnl_status_t t5_dnnl_product_create(dnnl_engine_t engine, const t5_product *product,
                                     t5_dnnl_product *out);
/* Computes `actual`, which `product` was made for; scratch has scratchpad_bytes. */
dnnl_status_t t5_dnnl_product_run(dnnl_engine_t engine, dnnl_stream_t stream,
                                  const t5_dnnl_product *product, const t5_product *actual, void *a,
                                  void *b, void *c, void *scratch);
void t5_dnnl_product_destroy(t5_dnnl_product *product);

/* A text for the status, of oneDNN's names. */
const char *t5_dnnl_status_name(dnnl_status_t status);

#endif
