/* Parts of a sweep: how they are named, and which trials are whose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "plan/part.h"
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void wrong_parts(void **state) {
    static const char *const bad[] = {
        "",      "1",    "/2",      "1/",   "0/2",  "3/2",
        "-1/2",  "+1/2", " 1/2",    "1/2 ", "01/2", "1/02",
        "1/2/3", "a/2",  "1/10001", "1/0",  "0/0",  "99999999999999999999/99999999999999999999"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        t5_error err = {0};
        t5_part part;
        if (t5_part_parse(bad[i], &part, &err) != T5_ERR_INPUT)
            fail_msg("\"%s\" was taken", bad[i]);
        assert_non_null(strstr(err.text, "I/N"));
    }
}

static void wrong_folders(void **state) {
    static const char *const bad[] = {"",
                                      "part",
                                      "part-1",
                                      "part-1-of-",
                                      "part-0-of-2",
                                      "part-3-of-2",
                                      "part-1-of-2x",
                                      "part-01-of-2",
                                      "xpart-1-of-2",
                                      "part-1-of-20000",
                                      "part--1-of-2",
                                      "trials"};
    t5_part part;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (t5_part_of_folder(bad[i], &part))
            fail_msg("\"%s\" was taken", bad[i]);
}

static void names_lead_back(void **state) {
    static const struct {
        const char *text, *folder;
        t5_part part;
    } good[] = {{"1/1", "run/part-1-of-1", {1, 1}},
                {"2/3", "run/part-2-of-3", {2, 3}},
                {"10000/10000", "run/part-10000-of-10000", {10000, 10000}}};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        t5_error err = {0};
        t5_part part, again;
        assert_int_equal(t5_part_parse(good[i].text, &part, &err), T5_OK);
        assert_int_equal(part.number, good[i].part.number);
        assert_int_equal(part.count, good[i].part.count);
        char *folder = t5_part_folder("run", part);
        assert_string_equal(folder, good[i].folder);
        assert_true(t5_part_of_folder(folder + strlen("run/"), &again));
        assert_memory_equal(&again, &part, sizeof part);
        free(folder);
    }
    char *whole = t5_part_folder("run", (t5_part){0});
    assert_string_equal(whole, "run");
    free(whole);
}

static void every_trial_is_in_one_part(void **state) {
    enum { N = 7 };
    t5_plan_trial trials[N] = {{.improved = -1}};
    t5_plan whole = {.n = N, .trials = trials, .baseline = 4};
    (void)state;
    for (int t = 0; t < N; t++)
        snprintf(trials[t].name, sizeof trials[t].name, "%d", t);
    for (int count = 0; count <= N; count++) {
        int seen = 0, baselines = 0;
        for (int number = count > 0; number <= count; number++) {
            t5_part part = {number, count};
            t5_error err = {0};
            t5_plan plan;
            assert_int_equal(t5_part_plan(&whole, part, &plan, &err), T5_OK);
            assert_in_range(plan.n, N / (count ? count : 1), N);
            for (int i = 0; i < plan.n; i++) {
                int t = atoi(plan.trials[i].name);
                assert_int_equal(t, count ? number - 1 + i * count : i);
                assert_true(t5_part_has(part, t));
                seen++;
                if (plan.baseline == i) {
                    assert_int_equal(t, whole.baseline);
                    baselines++;
                }
            }
            t5_plan_free(&plan);
        }
        assert_int_equal(seen, N);
        assert_int_equal(baselines, 1);
    }
    t5_plan plan;
    t5_error err = {0};
    assert_int_equal(t5_part_plan(&whole, (t5_part){N + 1, N + 1}, &plan, &err), T5_ERR_INPUT);
    whole.is_tree = true;
    err = (t5_error){0};
    assert_int_equal(t5_part_plan(&whole, (t5_part){1, 2}, &plan, &err), T5_ERR_INPUT);
    assert_non_null(strstr(err.text, "tree"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_parts),
        cmocka_unit_test(wrong_folders),
        cmocka_unit_test(names_lead_back),
        cmocka_unit_test(every_trial_is_in_one_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
