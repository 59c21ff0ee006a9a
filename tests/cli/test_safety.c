/* One run at a time in a folder, and nothing written outside of it: links that somebody has put
 * there are not followed, names of trials are no paths, the user's umask holds. */
#include "cli/program.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

static const char config[] =
    "model: { preset = \"tiny\"; tokenizer = \"spiece.model\"; };\n"
    "data: { path = \"data.jsonl\"; input = \"sns_text\"; target = \"emoji_string\"; };\n"
    "train: { epochs = 1; batch_size = 8; warmup_steps = 2; learning_rate = 1e-2; };\n"
    "parallel: { threads = 1; };\n"
    "output: { dir = \"whole\"; };\n";

static void wait_for(const char *path) {
    for (int i = 0; i < 12000 && access(path, F_OK) != 0; i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    assert_int_equal(access(path, F_OK), 0);
}

/* A run that goes on until it is killed; returns its process. */
static pid_t start_long_run(const char *output) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int quiet = open("/dev/null", O_WRONLY);
        dup2(quiet, 1);
        dup2(quiet, 2);
        execl(T5MPI, "t5mpi", "c.cfg", "--set", "train.epochs=100000", "--set",
              "train.early_stopping_patience=0", "--output", output, NULL);
        _exit(127);
    }
    char path[64];
    snprintf(path, sizeof path, "%s/results.h5", output);
    wait_for(path);
    return pid;
}

static void two_runs_in_a_folder(void **state) {
    static const char *const commands[] = {"%s c.cfg --output busy",
                                           "%s c.cfg --output busy --resume",
                                           "%s c.cfg --output ./busy/../busy/ --resume"};
    char text[64];
    (void)state;
    pid_t pid = start_long_run("busy");
    snprintf(text, sizeof text, "process %ld on ", (long)pid);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        char command[256];
        snprintf(command, sizeof command, commands[i], T5MPI);
        run_result r = run("%s", command);
        expect_status(command, &r, 2);
        expect_text(command, &r, "run.lock: a run goes on in this folder");
        expect_text(command, &r, text);
        expect_text(command, &r, ", since 20");
        free(r.output);
    }
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(access("busy/run.lock", F_OK), 0);
    run_result r = run("%s c.cfg --output busy", T5MPI);
    expect_status("anew", &r, 2);
    expect_text("anew", &r, "go on with --resume, or give another folder with --output");
    free(r.output);
    r = run("%s c.cfg --set train.epochs=100000 --output busy --resume --set train.batch_size=4",
            T5MPI);
    expect_status("another configuration", &r, 2);
    free(r.output);
    assert_int_equal(access("busy/run.lock", F_OK), -1); /* taken over, and given back */
}

/* A trial fails, a run fails, a run succeeds: the lock goes. */
static void the_lock_goes(void **state) {
    static const struct {
        const char *command;
        int status;
    } runs[] = {{"%s c.cfg --output failed --set sweep.learning_rate=[1e30]", 1},
                {"%s c.cfg --output fine", 0},
                {"%s c.cfg --output fine --resume", 0},
                {"%s c.cfg --output fine --resume --set train.batch_size=4", 2}};
    (void)state;
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        char command[256];
        snprintf(command, sizeof command, runs[i].command, T5MPI);
        run_result r = run("%s", command);
        expect_status(command, &r, runs[i].status);
        free(r.output);
        r = run("find failed fine -name '*.lock*' -o -name '.*'");
        expect_status(command, &r, i == 0 ? 1 : 0);
        assert_null(strstr(r.output, "lock"));
        free(r.output);
    }
}

/* How outside/ looks: names, sizes, contents, modes. */
static char *look_outside(void) {
    run_result r = run("cd outside && find . -printf '%%p %%y %%m %%s\\n' | sort && cat precious");
    expect_status("looking", &r, 0);
    return r.output;
}

static void links_are_not_followed(void **state) {
    static const struct {
        const char *link, *to;
        int status;
        const char *text;
    } planted[] = {
        {"trials", "../outside", 2, "p/trials: is a symbolic link"},
        /* results, but no weights */
        {"checkpoints", "../outside", 1, "p/checkpoints: is a symbolic link"},
        {"checkpoints/trial", "../../outside", 1, "p/checkpoints/trial: is a symbolic link"},
        {"run.lock", "../outside/precious", 2, "p/run.lock: cannot be opened"},
        {"run.lock", "../outside/new", 2, "p/run.lock: cannot be opened"},
        /* replaced themselves */
        {"trials/trial.h5", "../../outside/precious", 0, "Results on the test rows"},
        {"trials/trial.h5", "../../outside/new", 0, "Results on the test rows"},
        {"checkpoints/trial/best.h5", "../../../outside/precious", 0, "Results on the test rows"},
        {"results.h5", "../outside/new", 0, "Results on the test rows"},
    };
    (void)state;
    run_result r = run("mkdir outside && echo precious > outside/precious && "
                       "touch outside/.x.tmp.1 outside/.trial.h5.tmp.22");
    expect_status("preparing", &r, 0);
    free(r.output);
    char *before = look_outside();
    for (size_t i = 0; i < sizeof planted / sizeof *planted; i++)
        for (int resume = 0; resume < 2; resume++) {
            r = run("rm -rf p && mkdir -p p/$(dirname %s) && ln -s %s p/%s && "
                    "%s c.cfg --output p%s",
                    planted[i].link, planted[i].to, planted[i].link, T5MPI,
                    resume ? " --resume" : "");
            expect_status(planted[i].link, &r, planted[i].status);
            expect_text(planted[i].link, &r, planted[i].text);
            free(r.output);
            char *after = look_outside();
            assert_string_equal(after, before);
            free(after);
        }
    r = run("mkdir q && ln -s ../outside q/part-1-of-2 && %s c.cfg --output q --part 1/2", T5MPI);
    expect_status("part", &r, 2);
    expect_text("part", &r, "q/part-1-of-2: is a symbolic link, where a folder was expected");
    free(r.output);
    char *after = look_outside();
    assert_string_equal(after, before);
    free(after);
    free(before);
}

/* Links where a killed run left its files, and links in the way of cleaning up after it. */
static void cleaning_up_does_not_follow(void **state) {
    (void)state;
    run_result r = run("rm -rf p && %s c.cfg --output p && rm -r p/checkpoints && "
                       "mkdir p/checkpoints && ln -s ../../outside p/checkpoints/trial && "
                       "ln -s ../outside/precious p/.results.h5.tmp.4711",
                       T5MPI);
    expect_status("preparing", &r, 0);
    free(r.output);
    char *before = look_outside();
    r = run("%s c.cfg --output p --resume", T5MPI);
    expect_status("cleaning", &r, 0);
    free(r.output);
    char *after = look_outside();
    assert_string_equal(after, before);
    free(after);
    free(before);
    assert_int_equal(access("p/.results.h5.tmp.4711", F_OK), -1);
}

static void trials_are_no_paths(void **state) {
    static const char *const names[] = {"../x", "..", ".", "a/b", "/x", ".x", ""};
    static const char *const weights[] = {"whole:../trial", "whole:..", "whole:."};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[1024];
        snprintf(text, sizeof text, "%splan = ( { name = \"%s\"; } );\n", config, names[i]);
        write_text("bad.cfg", text);
        run_result r = run("%s bad.cfg --output bad", T5MPI);
        expect_status(names[i], &r, 2);
        expect_text(names[i], &r, "name");
        free(r.output);
        assert_int_equal(access("bad", F_OK), -1);
    }
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++) {
        run_result r = run("%s export %s out", T5MPI, weights[i]);
        expect_status(weights[i], &r, 2);
        free(r.output);
    }
}

/* Nothing of a path is ever seen by a shell. */
static void paths_are_no_commands(void **state) {
    (void)state;
    run_result r = run("mkdir '$(touch ran);`touch ran`' && cp data.jsonl '$(touch ran);`touch "
                       "ran`/a b;touch ran.jsonl' && %s c.cfg --set "
                       "'data.path=$(touch ran);`touch ran`/a b;touch ran.jsonl' --output "
                       "'$(touch ran);`touch ran`|&/out' && %s export "
                       "'$(touch ran);`touch ran`|&/out' '$(touch ran) export'",
                       T5MPI, T5MPI);
    expect_status("names with meaning to a shell", &r, 0);
    free(r.output);
    assert_int_equal(access("ran", F_OK), -1);
    assert_int_equal(access("ran.jsonl", F_OK), -1);
}

static void the_umask_holds(void **state) {
    (void)state;
    run_result r = run("(umask 027 && %s c.cfg --output u && %s export u exported) && "
                       "find u exported ! -perm 640 ! -perm 750",
                       T5MPI, T5MPI);
    expect_status("umask", &r, 0);
    assert_null(strstr(r.output, "\nu"));
    assert_null(strstr(r.output, "\nexported/"));
    free(r.output);
    r = run("find u exported -type f -perm 640 | wc -l");
    assert_in_range(atoi(r.output), 7, 20);
    free(r.output);
}

static int prepare(void **state) {
    if (make_folder(state))
        return -1;
    write_text("c.cfg", config);
    run_result r = run("cp %s/configs/demo/spiece.model . && head -n 100 "
                       "%s/configs/demo/v3like.jsonl > data.jsonl && %s c.cfg",
                       T5MPI_SOURCE_DIR, T5MPI_SOURCE_DIR, T5MPI);
    int status = r.status;
    free(r.output);
    return status;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_runs_in_a_folder),   cmocka_unit_test(the_lock_goes),
        cmocka_unit_test(links_are_not_followed), cmocka_unit_test(cleaning_up_does_not_follow),
        cmocka_unit_test(trials_are_no_paths),    cmocka_unit_test(paths_are_no_commands),
        cmocka_unit_test(the_umask_holds),
    };
    return cmocka_run_group_tests(tests, prepare, remove_folder);
}
