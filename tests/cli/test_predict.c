/* t5mpi predict as a user has it: pipes, readers that go away, full disks, wrong command lines. */
#include "cli/program.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#define MODEL T5MPI_SOURCE_DIR "/tests/setup/fixtures/v1_0"
#define PREDICT T5MPI " predict --threads 1 --max-length 4 --model " MODEL

/* What is wrong, and how it is said; nothing is answered. */
static const struct {
    const char *command, *expected;
} bad[] = {
    {T5MPI " predict", "t5mpi: predict: --model M was expected"},
    {T5MPI " predict texts", "--model M was expected"},
    {T5MPI " predict --model", "without its value: --model"},
    {T5MPI " predict --model nowhere texts", "t5mpi: nowhere: "},
    {T5MPI " predict --model . texts", "t5mpi: .: "},
    {T5MPI " predict --model texts texts", "t5mpi: texts: "},
    {PREDICT " nowhere", "t5mpi: nowhere: cannot be opened: No such file or directory"},
    {PREDICT " .", "t5mpi: .: is a folder"},
    {PREDICT " < .", "t5mpi: -: is a folder"},
    {PREDICT " texts texts", "one argument too many: texts"},
    {PREDICT " texts --beams 0", "--beams 0: an integer from 1 to 256"},
    {PREDICT " texts --beams 4 --sample", "--beams 4 and --sample exclude each other"},
    {PREDICT " texts --top-k 5", "--top-k has no effect without sampling"},
    {PREDICT " texts --top-p 0.5 --beams 2", "use --sample instead of --beams"},
    {PREDICT " texts --seed 5", "--seed has no effect without sampling"},
    {PREDICT " texts --sample --top-p 2", "--top-p 2: a number above 0 and at most 1"},
    {PREDICT " texts --sample --temperature 0", "--temperature 0: a number above 0"},
    {PREDICT " texts --repetition-penalty no", "--repetition-penalty no"},
    {PREDICT " texts --batch-size 0", "--batch-size 0"},
    {PREDICT " texts --device tpu", "--device tpu: auto, cpu or cuda was expected"},
    {PREDICT " texts --set train.epochs=1", "an option that this command does not have: --set"},
};

static void what_is_wrong_is_explained(void **state) {
    (void)state;
    write_text("texts", "a\nb\n");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        run_result r = run("%s", bad[i].command);
        expect_status(bad[i].command, &r, 2);
        expect_text(bad[i].command, &r, bad[i].expected);
        const char *end = strchr(r.output, '\n');
        if (strncmp(r.output, "t5mpi: ", 7) != 0 || !end || end[1])
            fail_msg("%s: more than a message:\n%s", bad[i].command, r.output);
        free(r.output);
    }
}

/* What came before a line that is none is answered; with its number on standard error. */
static void a_wrong_line_ends_it(void **state) {
    (void)state;
    write_file("wrong", "a\nb\n\xff\nc\n", 8);
    run_result r = run("{ %s wrong 2> err; }", PREDICT);
    expect_status("wrong line", &r, 2);
    int lines = 0;
    for (const char *at = r.output; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, 2);
    free(r.output);
    r = run("cat err");
    expect_text("wrong line", &r, "t5mpi: wrong:3: not UTF-8");
    free(r.output);
    r = run("%s < wrong", PREDICT);
    expect_status("wrong line", &r, 2);
    expect_text("wrong line", &r, "t5mpi: standard input:3: not UTF-8");
    free(r.output);
}

static void output_that_cannot_be_written(void **state) {
    (void)state;
    write_text("texts", "a\nb\n");
    run_result r = run("{ %s texts 2>&3 > /dev/full; } 3>&1", PREDICT);
    expect_status("/dev/full", &r, 1);
    expect_text("/dev/full", &r, "t5mpi: the answers cannot be written: No space left on device");
    free(r.output);
    r = run("{ %s --jsonl texts 2>&3 >&-; } 3>&1", PREDICT);
    expect_status("closed", &r, 1);
    expect_text("closed", &r, "t5mpi: the answers cannot be written: ");
    free(r.output);
}

/* One of mpirun's ranks says that they are too many. */
static void it_is_one_process(void **state) {
    (void)state;
    write_text("texts", "a\n");
    run_result r = run("%s -np 2 %s texts", T5MPI_MPIRUN, PREDICT);
    expect_status("mpirun", &r, 2);
    char *first = strstr(r.output, "t5mpi: this command is one process");
    assert_non_null(first);
    assert_null(strstr(first + 1, "t5mpi: "));
    free(r.output);
    r = run("%s -np 1 %s texts", T5MPI_MPIRUN, PREDICT);
    expect_status("mpirun -np 1", &r, 0);
    free(r.output);
}

/* From a file, from standard input, from "-", through a named pipe: the same answers. */
static void where_texts_come_from(void **state) {
    static const char *const ways[] = {
        PREDICT " texts > other", PREDICT " < texts > other", PREDICT " - < texts > other",
        "cat texts | " PREDICT " > other",
        "rm -f fifo; mkfifo fifo; cat texts > fifo & " PREDICT " fifo > other"};
    (void)state;
    write_text("texts", "a\n\nb\r\n\xe4\xbb\x8a\xe6\x97\xa5"); /* no newline at the end */
    run_result r = run("%s texts > want && wc -l < want", PREDICT);
    expect_status("texts", &r, 0);
    expect_text("texts", &r, "4");
    free(r.output);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        r = run("{ %s && cmp want other; }", ways[i]);
        expect_status(ways[i], &r, 0);
        assert_string_equal(r.output, "");
        free(r.output);
    }
    r = run("%s < /dev/null", PREDICT);
    expect_status("nothing", &r, 0);
    assert_string_equal(r.output, "");
    free(r.output);
}

/* More answers than a pipe holds, and a reader that takes one. */
static void a_reader_goes_away(void **state) {
    (void)state;
    run_result r = run("{ seq 1 20000 > many;"
                       "{ %s --jsonl many; echo \"status $?\" >&3; } | head -1; } 3>&1",
                       PREDICT);
    expect_text("head", &r, "\"input\": \"1\"");
    expect_text("head", &r, "status 0");
    assert_null(strstr(r.output, "t5mpi: "));
    assert_null(strstr(r.output, "\"input\": \"2\""));
    free(r.output);
}

typedef struct process {
    pid_t pid;
    int in, out; /* its standard input and output */
} process;

static process start(void) {
    int in[2], out[2];
    assert_true(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        execl("/bin/sh", "sh", "-c", "exec " PREDICT " 2> err", (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    return (process){pid, in[1], out[0]};
}

static void send_text(const process *p, const char *text) {
    assert_int_equal(write(p->in, text, strlen(text)), strlen(text));
}

/* Waits for the next `lines` newlines. The limit is there to fail rather than hang. */
static void expect_lines(const process *p, int lines) {
    while (lines > 0) {
        struct pollfd ready = {.fd = p->out, .events = POLLIN};
        char c = 0;
        if (poll(&ready, 1, 120000) != 1 || read(p->out, &c, 1) != 1)
            fail_msg("%d answers did not come", lines);
        lines -= c == '\n';
    }
}

static void expect_end(process *p) {
    int status;
    assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    run_result r = run("cat err");
    assert_string_equal(r.output, "");
    free(r.output);
}

/* A writer that waits for the answer before it goes on: also with half a line on the way. */
static void answers_come_as_texts_do(void **state) {
    (void)state;
    process p = start();
    send_text(&p, "a\n");
    expect_lines(&p, 1);
    send_text(&p, "b\nc\n");
    expect_lines(&p, 2);
    send_text(&p, "d\nhalf");
    expect_lines(&p, 1);
    send_text(&p, " and half\n\n");
    expect_lines(&p, 2);
    send_text(&p, "last");
    close(p.in);
    expect_lines(&p, 1);
    expect_end(&p);
    close(p.out);
}

/* Nobody reads, nothing comes: it does not wait for ever. */
static void it_notices_while_it_waits(void **state) {
    (void)state;
    process p = start();
    send_text(&p, "a\n");
    expect_lines(&p, 1);
    close(p.out);
    expect_end(&p); /* while p.in is open */
    close(p.in);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_explained),
        cmocka_unit_test(a_wrong_line_ends_it),
        cmocka_unit_test(output_that_cannot_be_written),
        cmocka_unit_test(it_is_one_process),
        cmocka_unit_test(where_texts_come_from),
        cmocka_unit_test(a_reader_goes_away),
        cmocka_unit_test(answers_come_as_texts_do),
        cmocka_unit_test(it_notices_while_it_waits),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
