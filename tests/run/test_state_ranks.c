/* Checkpoints of a trial in training, written and read by the ranks of a group: damage is found and
 * named, failures leave nothing behind, and what was kept is read back to the last bit by any
 * number of ranks. */
#include "keeper_check.h"
#include <signal.h>
#include <sys/resource.h>

/* ---------------------------------------------------------------- what is not used */

static void nothing_there(void **state) {
    (void)state;
    trial t;
    make_run("nothing");
    open_trial(&t, world, "nothing");
    expect_warnings();
    CHECK(!load(&t));
    expect_log(NULL);
    settle(&t);
    close_trial(&t);
    CHECK(count_files("nothing") == 0);
}

/* The newest, then both: in the header, HDF5's part, every array, at the end. */
static void damage_is_named_and_the_one_before_is_used(void **state) {
    (void)state;
    trial t;
    make_run("damage");
    open_trial(&t, world, "damage");
    keep(&t, 10, true);
    keep(&t, 20, true);
    static const int64_t places[] = {3, 400, 700, 1 << 20, 5 << 20, 10 << 20, 15 << 20};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (t5_comm_rank(world) == 0)
            flip_byte("damage", 20, places[i]);
        expect_warnings();
        CHECK(load(&t));
        expect_log("trial trial: the checkpoint of step 20 is not used: "
                   "damage/checkpoints/trial/state-000000000020.h5: is ");
        check_trial(&t, 10, true, t5_comm_rank(world) == 0);
        if (t5_comm_rank(world) == 0)
            flip_byte("damage", 20, places[i]);
    }
    CHECK(load(&t));
    check_trial(&t, 20, true, t5_comm_rank(world) == 0);
    if (t5_comm_rank(world) == 0) {
        flip_byte("damage", 10, 1000);
        CHECK(truncate("damage/checkpoints/trial/state-000000000020.h5", 5 << 20) == 0);
    }
    train_to(&t, 33, false);
    expect_warnings();
    CHECK(!load(&t));
    expect_log("state-000000000020.h5: is damaged: it has 5242880 bytes, and should have ");
    check_trial(&t, 33, false, t5_comm_rank(world) == 0); /* nothing was changed */
    close_trial(&t);
}

static void those_of_others_are_not_used(void **state) {
    (void)state;
    trial t, other;
    make_run("others");
    open_trial(&t, world, "others");
    keep(&t, 14, false);
    close_trial(&t);
    t5_shape wider = shape;
    wider.vocab += 64;
    struct {
        const char *want;
        t5_keeper_spec spec;
        const t5_shape *shape;
    } cases[] = {
        {"is of other settings, other rows or another tokeniser", make_spec("others"), &shape},
        {"is of another seed", make_spec("others"), &shape},
        {"is of a model of another shape", make_spec("others"), &wider},
        {"is of another trial, trial", make_spec("others"), &shape},
    };
    cases[0].spec.fingerprint++;
    cases[1].spec.seed++;
    cases[3].spec.trial = "renamed";
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (i == 3 && t5_comm_rank(world) == 0)
            CHECK(rename("others/checkpoints/trial", "others/checkpoints/renamed") == 0);
        meet();
        open_trial_as(&other, world, &cases[i].spec, cases[i].shape);
        expect_warnings();
        CHECK(!load(&other));
        expect_log(cases[i].want);
        close_trial(&other);
    }
}

/* ---------------------------------------------------------------- failures */

static void limit_files(rlim_t bytes) {
    struct rlimit limit = {bytes, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN); /* writes fail with EFBIG then */
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

/* One rank after the other cannot write: all know it, the last good one stays, the next one is
 * tried again. */
static void a_rank_cannot_write(void **state) {
    (void)state;
    trial t;
    make_run("full");
    open_trial(&t, world, "full");
    keep(&t, 10, true);
    for (int r = 0; r < t5_comm_size(world); r++) {
        t5_error err = {0};
        train_to(&t, 20 + r, true);
        if (t5_comm_rank(world) == r)
            limit_files(1 << 20);
        expect_warnings();
        begin(&t);
        CHECK((t5_keeper_busy(t.keeper) != T5_KEEPER_IDLE) == (r > 0));
        CHECK(t5_keeper_settle(t.keeper, &err) == T5_ERR_IO);
        CHECK(strstr(err.text, "File too large"));
        limit_files(RLIM_INFINITY);
        expect_log("training goes on without it: full/checkpoints/trial/");
        CHECK(count_files("full/checkpoints/trial") == 1);
        meet();
    }
    CHECK(load(&t));
    check_trial(&t, 10, true, t5_comm_rank(world) == 0);
    keep(&t, 30, true);
    CHECK(load(&t));
    check_trial(&t, 30, true, t5_comm_rank(world) == 0);
    close_trial(&t);
}

/* Leaves this process so many more files to open; returns how many it had in all. */
static rlim_t limit_open_files(rlim_t more) {
    struct rlimit limit;
    int next = dup(0);
    CHECK(next >= 0 && close(next) == 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0);
    rlim_t all = limit.rlim_cur;
    limit.rlim_cur = (rlim_t)next + more;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    return all;
}

static void allow_open_files(rlim_t all) {
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = all;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

/* What cannot be read now may be a good one, which an older one must not take the place of: an
 * error that all ranks see, and every file stays. */
static void what_cannot_be_read_now_stays(void **state) {
    (void)state;
    trial t;
    make_run("unreadable");
    open_trial(&t, world, "unreadable");
    keep(&t, 10, true);
    keep(&t, 20, true);
    for (rlim_t more = 0; more < 2; more++) { /* for the folder, for one of the file's two */
        t5_error err = {0};
        bool found = true;
        bool leader = t5_comm_rank(world) == 0;
        rlim_t all = leader ? limit_open_files(more) : 0;
        free(t.best); /* as load() does: what is loaded takes its place */
        t.best = NULL;
        t5_keeper_load(t.keeper, &t.best, &t.state, &t.record, &found, &err);
        if (leader)
            allow_open_files(all);
        CHECK(err.status == T5_ERR_IO);
        CHECK(strstr(err.text, "Too many open files"));
        CHECK(!found);
        CHECK(has_step("unreadable", 10) && has_step("unreadable", 20));
        meet();
    }
    CHECK(load(&t));
    check_trial(&t, 20, true, t5_comm_rank(world) == 0);
    close_trial(&t);
}

static void links_are_not_followed(void **state) {
    (void)state;
    t5_error err = {0};
    trial t;
    make_run("elsewhere");
    make_run("links");
    if (t5_comm_rank(world) == 0) {
        CHECK(mkdir("links/checkpoints", 0777) == 0);
        CHECK(symlink("../../elsewhere", "links/checkpoints/trial") == 0);
    }
    open_trial(&t, world, "links");
    train_to(&t, 10, true);
    expect_warnings();
    begin(&t);
    CHECK(t5_keeper_settle(t.keeper, &err) != T5_OK);
    expect_log("links/checkpoints/trial: is a symbolic link");
    expect_warnings();
    CHECK(!load(&t));
    expect_log(NULL);
    if (t5_comm_rank(world) == 0)
        t5_keeper_forget("links", "trial");
    CHECK(count_files("elsewhere") == 0);
    meet();
    if (t5_comm_rank(world) == 0) {
        CHECK(unlink("links/checkpoints/trial") == 0);
        CHECK(mkdir("links/checkpoints/trial", 0777) == 0);
        CHECK(symlink("../../../elsewhere/x", "links/checkpoints/trial/state-000000000010.h5") ==
              0);
    }
    keep(&t, 10, true);
    CHECK(load(&t));
    check_trial(&t, 10, true, t5_comm_rank(world) == 0);
    CHECK(count_files("elsewhere") == 0);
    CHECK(count_files("links/checkpoints/trial") == 1);
    close_trial(&t);
}

/* ---------------------------------------------------------------- what is kept */

static void round_trip(void **state) {
    (void)state;
    trial t, other;
    make_run("round");
    for (int i = 0; i < 4; i++) {
        open_trial(&t, world, "round");
        keep(&t, 50 + i, i % 2);
        close_trial(&t);
        open_trial(&other, world, "round");
        CHECK(load(&other));
        check_trial(&other, 50 + i, i % 2, t5_comm_rank(world) == 0);
        close_trial(&other);
        CHECK(count_files("round/checkpoints/trial") == (i ? 2 : 1));
    }
}

/* An epoch was best, and its weights are the model's. */
static void current_weights_are_the_best(void **state) {
    (void)state;
    t5_error err = {0};
    trial t;
    make_run("current");
    open_trial(&t, world, "current");
    train_to(&t, 10, false);
    t.state.best_epoch = 3;
    begin(&t);
    settle(&t);
    CHECK(load(&t));
    CHECK(t.best && t.state.best_epoch == 3);
    float *expected = values_of(&t, 0, 10);
    CHECK(memcmp(t.best, expected, (size_t)t5_model_n_arena(t.model) * sizeof *expected) == 0);
    free(expected);
    CHECK_OK(t5_keeper_settle(t.keeper, &err), err);
    close_trial(&t);
}

/* Written by all, read by each; written by one, read by all. */
static void another_number_of_ranks(void **state) {
    (void)state;
    t5_error err = {0};
    t5_comm *alone = NULL;
    trial t;
    CHECK_OK(t5_comm_group(world, 1, &alone, &err), err);
    make_run("ranks");
    open_trial(&t, world, "ranks");
    keep(&t, 70, true);
    close_trial(&t);
    open_trial(&t, alone, "ranks");
    CHECK(load(&t));
    check_trial(&t, 70, true, true);
    meet();
    if (t5_comm_rank(world) == 0)
        keep(&t, 80, true);
    close_trial(&t);
    meet();
    open_trial(&t, world, "ranks");
    CHECK(load(&t));
    check_trial(&t, 80, true, t5_comm_rank(world) == 0);
    close_trial(&t);
    t5_comm_free(alone);
}

/* Training goes on, changes everything, and the checkpoint is of when it was begun. */
static void it_is_a_copy(void **state) {
    (void)state;
    t5_error err = {0};
    trial t;
    make_run("copy");
    open_trial(&t, world, "copy");
    for (int64_t step = 10; step < 20; step++) {
        train_to(&t, step, true);
        begin(&t);
        CHECK(t5_keeper_busy(t.keeper));
        train_to(&t, step + 1000, true);
        for (int part = 0; part < 2; part++) { /* written, then named */
            CHECK(t5_keeper_busy(t.keeper));
            while (!t5_keeper_done(t.keeper))
                usleep(100);
            CHECK_OK(t5_keeper_advance(t.keeper, &err), err);
        }
        CHECK(!t5_keeper_busy(t.keeper));
    }
    settle(&t);
    CHECK(load(&t));
    check_trial(&t, 19, true, t5_comm_rank(world) == 0);
    CHECK(count_files("copy/checkpoints/trial") == 2);
    close_trial(&t);
}

static void the_last_ones_stay(void **state) {
    (void)state;
    trial t;
    make_run("last");
    t5_keeper_spec spec = make_spec("last");
    spec.keep = 3;
    open_trial_as(&t, world, &spec, &shape);
    for (int64_t step = 10; step <= 50; step += 10)
        keep(&t, step, false);
    meet();
    CHECK(!has_step("last", 20) && has_step("last", 30) && has_step("last", 50));
    meet();
    keep(&t, 35, false); /* training went back */
    meet();
    CHECK(has_step("last", 30) && has_step("last", 35));
    CHECK(count_files("last/checkpoints/trial") == 2);
    CHECK(load(&t));
    check_trial(&t, 35, false, t5_comm_rank(world) == 0);
    close_trial(&t);
}

/* Given up before it was committed, and with one that was begun over it. */
static void what_was_only_begun(void **state) {
    (void)state;
    trial t;
    make_run("begun");
    open_trial(&t, world, "begun");
    train_to(&t, 10, false);
    begin(&t);
    close_trial(&t);
    meet();
    CHECK(count_files("begun/checkpoints/trial") == 0);
    open_trial(&t, world, "begun");
    train_to(&t, 10, false);
    begin(&t);
    train_to(&t, 20, true);
    begin(&t);       /* commits the first */
    CHECK(load(&t)); /* gives up the second */
    check_trial(&t, 10, false, t5_comm_rank(world) == 0);
    meet();
    CHECK(count_files("begun/checkpoints/trial") == 1);
    close_trial(&t);
}

static void the_end_of_a_trial(void **state) {
    (void)state;
    trial t;
    make_run("end");
    open_trial(&t, world, "end");
    keep(&t, 10, false);
    if (t5_comm_rank(world) == 0) {
        int fd = open("end/checkpoints/trial/best.h5", O_WRONLY | O_CREAT, 0600);
        CHECK(fd >= 0);
        close(fd);
        fd = open("end/checkpoints/trial/.state-000000000077.h5.tmp.99", O_WRONLY | O_CREAT, 0600);
        CHECK(fd >= 0);
        close(fd);
    }
    train_to(&t, 20, false);
    begin(&t);
    t5_keeper_remove(t.keeper);
    meet();
    CHECK(count_files("end/checkpoints/trial") == 1);
    CHECK(access("end/checkpoints/trial/best.h5", F_OK) == 0);
    meet();
    keep(&t, 30, false);
    close_trial(&t);
    if (t5_comm_rank(world) == 0) {
        CHECK(count_files("end/checkpoints/trial") == 2);
        CHECK(unlink("end/checkpoints/trial/best.h5") == 0);
        t5_keeper_forget("end", "trial");
        CHECK(count_files("end/checkpoints") == 0);
        t5_keeper_forget("end", "trial");
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prepare),
        cmocka_unit_test(nothing_there),
        cmocka_unit_test(damage_is_named_and_the_one_before_is_used),
        cmocka_unit_test(those_of_others_are_not_used),
        cmocka_unit_test(a_rank_cannot_write),
        cmocka_unit_test(what_cannot_be_read_now_stays),
        cmocka_unit_test(links_are_not_followed),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(current_weights_are_the_best),
        cmocka_unit_test(another_number_of_ranks),
        cmocka_unit_test(it_is_a_copy),
        cmocka_unit_test(the_last_ones_stay),
        cmocka_unit_test(what_was_only_begun),
        cmocka_unit_test(the_end_of_a_trial),
        cmocka_unit_test(clean_up),
    };
    return run_on_ranks("state", tests, sizeof tests / sizeof *tests, &world, &argc, &argv);
}
