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

typedef struct t5_dnnl_product {
    dnnl_primitive_t primitive;
    dnnl_memory_t a, b, c, scratchpad; /* without addresses */
    size_t scratchpad_bytes;
} t5_dnnl_product;

/* Fills out, which starts zeroed; the caller destroys it whatever is returned. */
dnnl_status_t t5_dnnl_product_create(dnnl_engine_t engine, const t5_product *product,
                                     t5_dnnl_product *out);
void t5_dnnl_product_destroy(t5_dnnl_product *product);

/* A text for the status, of oneDNN's names. */
const char *t5_dnnl_status_name(dnnl_status_t status);

#endif
