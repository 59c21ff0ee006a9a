/* cuBLASLt and NCCL are opened at run time: here, where the build found them, every function that
 * is passed on must be in them; and where they are not, the user is told which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cuda/libraries.h"
#include "cuda/shared_object.h"
#include "device/device.h"
#include <cuda_runtime_api.h>
#include <string.h>

static void test_missing(void **state) {
    (void)state;
    static const char *const symbols[] = {"strlen", "no_such_function"};
    t5_any_function *functions[2] = {NULL, NULL};
    t5_shared_object so = {"libnobody_has_this.so.1", "/nowhere/x.so", symbols, 2, functions, ""};
    t5_shared_object_open(&so);
    assert_non_null(strstr(so.missing, "libnobody_has_this.so.1"));
    assert_null(functions[0]);
    so = (t5_shared_object){"libc.so.6", "/nowhere/x.so", symbols, 2, functions, ""};
    t5_shared_object_open(&so);
    assert_non_null(strstr(so.missing, "libc.so.6 has no function no_such_function"));
    assert_null(functions[0]);
    so.n_symbols = 1;
    t5_shared_object_open(&so);
    assert_string_equal(so.missing, "");
    assert_non_null(functions[0]);
}

static void test_found(void **state) {
    (void)state;
    if (t5_cublaslt_missing())
        fail_msg("%s", t5_cublaslt_missing());
    if (t5_nccl_missing())
        fail_msg("%s", t5_nccl_missing());
}

/* The program starts where there is no driver, and says so. */
static void test_no_driver(void **state) {
    (void)state;
    int count = 0;
    t5_device *dev = NULL;
    t5_error err = {0};
    if (cudaGetDeviceCount(&count) == cudaSuccess && count > 0)
        skip();
    assert_int_equal(t5_device_open_cuda(0, false, &dev, &err), T5_ERR_DEVICE);
    assert_null(dev);
    assert_true(strstr(err.text, "no NVIDIA driver") || strstr(err.text, "no GPU"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_found),
        cmocka_unit_test(test_no_driver),
    };
    return cmocka_run_group_tests_name("cuda libraries", tests, NULL, NULL);
}
