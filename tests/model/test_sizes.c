/* Size classes of batches: what t5_size_class promises, for many sizes. */
#include "model/internal.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the above first */
#include <cmocka.h>

static void check(int n_enc, int n_dec, int max_enc, int max_dec) {
    const t5_sizes s = {.n_enc = n_enc, .n_dec = n_dec, .max_enc = max_enc, .max_dec = max_dec};
    const t5_sizes c = t5_size_class(s);
    int enc = c.n_enc - n_enc, dec = c.n_dec - n_dec;
    assert_true(c.n_pad >= 1 && enc >= c.n_pad && dec >= 0);
    assert_true(c.max_enc >= max_enc && c.max_dec >= max_dec);
    /* cut evenly, the longest piece is that, rounded up */
    assert_true((enc + c.n_pad - 1) / c.n_pad <= c.max_enc);
    assert_true((dec + c.n_pad - 1) / c.n_pad <= c.max_dec);
    assert_true(enc <= n_enc / 8 + 16 && dec <= n_dec / 8 + 16);
}

static void classes_hold_their_batches(void **state) {
    (void)state;
    const int rows[] = {1, 3, 16, 100, 512};
    for (int i = 0; i < 5; i++)
        for (int longest = 1; longest <= 512; longest = longest * 3 / 2 + 1)
            for (int mean = 1; mean <= longest; mean = mean * 2 + 1)
                for (int target = 1; target <= 32; target += 5)
                    check(longest + (rows[i] - 1) * mean, target + (rows[i] - 1) * 3, longest,
                          target > 3 ? target : 3);
}

/* Batches that differ a little mostly share a class: a run needs few of them. */
static void few_classes_are_enough(void **state) {
    (void)state;
    int classes = 0;
    t5_sizes before = {0};
    for (int n = 600; n < 700; n++) {
        t5_sizes c = t5_size_class(
            (t5_sizes){.n_enc = n, .n_dec = 60, .max_enc = 65 + n % 60, .max_dec = 6});
        classes += c.n_enc != before.n_enc || c.max_enc != before.max_enc;
        before = c;
    }
    assert_in_range(classes, 1, 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_hold_their_batches),
        cmocka_unit_test(few_classes_are_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
