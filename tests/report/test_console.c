/* The console: what stands on the screen after a sequence of events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "report/console.h"
#include "report/width.h"
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { ROWS = 60, BYTES = 512 };

/* A terminal that knows newline, carriage return, "up n lines" and "erase to the end". */
typedef struct screen {
    char row[ROWS][BYTES];
    int at, draws; /* draws: how often it was told to erase */
} screen;

static void show(screen *s, const char *text) {
    size_t column = 0;
    for (; *text; text++) {
        if (*text == '\n' || *text == '\r') {
            s->at += *text == '\n';
            column = 0;
            assert_true(s->at < ROWS);
        } else if (*text == '\x1b') {
            char *end;
            assert_int_equal(*++text, '[');
            long n = strtol(text + 1, &end, 10);
            text = end;
            if (*text == 'A') {
                s->at -= (int)n;
                assert_true(s->at >= 0);
            } else {
                assert_int_equal(*text, 'J');
                assert_int_equal(column, 0);
                memset(s->row[s->at], 0, sizeof s->row[0] * (size_t)(ROWS - s->at));
                s->draws++;
            }
        } else {
            assert_true(column + 1 < BYTES);
            s->row[s->at][column++] = *text;
        }
    }
}

typedef struct fixture {
    FILE *out;
    char *text;
    size_t bytes;
    t5_console *console;
    screen screen;
} fixture;

static const char *const names[] = {"v3_baseline", "絵文字", "c"};

static void open_console(fixture *f, bool terminal) {
    t5_error err = {0};
    f->out = open_memstream(&f->text, &f->bytes);
    assert_non_null(f->out);
    assert_int_equal(t5_console_open(f->out, terminal, 3, names, "avg_jaccard", &f->console, &err),
                     T5_OK);
}

static int set_up(void **state) {
    *state = calloc(1, sizeof(fixture));
    return *state ? 0 : -1;
}

static int tear_down(void **state) {
    fixture *f = *state;
    fclose(f->out);
    free(f->text);
    free(f);
    return 0;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* What the events since the last look did to the screen. */
static screen *look(fixture *f) {
    fflush(f->out);
    memset(&f->screen, 0, sizeof f->screen);
    show(&f->screen, f->text);
    return &f->screen;
}

static t5_progress progress(int trial) {
    return (t5_progress){.trial = trial,
                         .epoch = 3,
                         .epochs = 20,
                         .step = 50,
                         .steps = 200,
                         .loss = 4.1234,
                         .rows_per_second = 812.3,
                         .seconds = 30,
                         .val_loss = NAN,
                         .figure = NAN};
}

static t5_progress epoch_end(int trial) {
    t5_progress p = progress(trial);
    p.epoch_done = p.better = true;
    p.val_loss = 3.9871;
    p.figure = 0.0512;
    return p;
}

/* ---------------------------------------------------------------- a file or a pipe */

static void test_lines(void **state) {
    fixture *f = *state;
    open_console(f, false);
    t5_progress p = progress(0);
    t5_console_start(f->console, 0, false);
    t5_console_start(f->console, 1, true);
    t5_console_progress(f->console, &p);
    p = epoch_end(0);
    t5_console_progress(f->console, &p);
    p = epoch_end(1);
    p.better = false;
    p.loss = 12.5;
    t5_console_progress(f->console, &p);
    p = epoch_end(2);
    p.val_loss = p.figure = NAN;
    p.better = false;
    t5_console_progress(f->console, &p);
    t5_console_end(f->console, 1, "failed: the loss is NaN");
    t5_console_end(f->console, 2, "skipped");
    t5_console_close(f->console);
    fflush(f->out);
    assert_string_equal(
        f->text,
        "v3_baseline  epoch  3/20  loss  4.123  val  3.987*  jaccard  0.051    812 rows/s\n"
        "絵文字       epoch  3/20  loss 12.500  val  3.987   jaccard  0.051    812 rows/s\n"
        "c            epoch  3/20  loss  4.123  val     -    jaccard     -     812 rows/s\n"
        "絵文字       failed: the loss is NaN, epoch 3/20, 30s\n"
        "c            skipped, epoch 3/20, 30s\n");
}

/* ---------------------------------------------------------------- a terminal */

static void test_live(void **state) {
    fixture *f = *state;
    open_console(f, true);
    t5_console_start(f->console, 0, false);
    screen *s = look(f);
    assert_string_equal(s->row[0], "v3_baseline  [>                       ]  starts");
    assert_int_equal(s->at, 1);
    t5_progress p = epoch_end(0);
    t5_console_progress(f->console, &p);
    p = progress(0);
    p.epoch = 4;
    p.step = 100;
    t5_console_progress(f->console, &p);
    t5_console_start(f->console, 1, true); /* draws whatever the time */
    s = look(f);
    /* half of the steps are done in 30 s */
    assert_string_equal(s->row[0], "v3_baseline  [==========>          ]  4/20  loss  4.123    812 "
                                   "rows/s  30s left");
    assert_non_null(strstr(s->row[1], "starts  (ahead)"));
    assert_int_equal(s->at, 2);
    for (int i = 0; i < 2; i++)
        assert_true(t5_display_width(s->row[i], strlen(s->row[i])) < 80);

    t5_console_end(f->console, 0, "completed");
    s = look(f);
    assert_string_equal(s->row[0], "v3_baseline  completed, epoch 4/20, 30s");
    assert_int_equal(strncmp(s->row[1], "絵文字", strlen("絵文字")), 0);
    assert_int_equal(s->at, 2);
    t5_console_end(f->console, 1, "failed: out of memory");
    t5_console_close(f->console);
    s = look(f);
    assert_string_equal(s->row[1], "絵文字       failed: out of memory");
    assert_string_equal(s->row[2], "");
    assert_int_equal(s->at, 2);
}

/* A wide terminal has room for the last epoch's figures, which stay; asked by its size. */
static void test_wide(void **state) {
    fixture *f = *state;
    static const char *const name = "a";
    t5_error err = {0};
    static char seen[4096];
    struct winsize size = {.ws_row = 5, .ws_col = 100};
    int master = posix_openpt(O_RDWR | O_NOCTTY), slave = -1;
    f->out = open_memstream(&f->text, &f->bytes);
    if (master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0)
        slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    if (slave < 0) {
        print_message("no pseudo terminals here: skipped\n");
        skip();
    }
    assert_int_equal(ioctl(slave, TIOCSWINSZ, &size), 0);
    FILE *out = fdopen(slave, "w");
    assert_non_null(out);
    assert_int_equal(t5_console_open(out, true, 1, &name, "avg_f1", &f->console, &err), T5_OK);
    t5_console_start(f->console, 0, false);
    t5_progress p = epoch_end(0);
    double start = now();
    while (now() - start < 0.15) /* until it is drawn again */
        t5_console_progress(f->console, &p);
    p = progress(0);
    for (start = now(); now() - start < 0.15;)
        t5_console_progress(f->console, &p);
    ssize_t n = read(master, seen, sizeof seen - 1);
    assert_true(n > 0);
    memset(&f->screen, 0, sizeof f->screen);
    show(&f->screen, seen);
    assert_string_equal(f->screen.row[0], "a  [======>                 ]  3/20  loss  4.123"
                                          "  val  3.987*  f1  0.051    812 rows/s  1m30s left");
    t5_console_close(f->console);
    fclose(out);
    close(master);
}

/* Closing in the middle leaves nothing of the live lines. */
static void test_close_early(void **state) {
    fixture *f = *state;
    open_console(f, true);
    for (int i = 0; i < 3; i++)
        t5_console_start(f->console, i, false);
    t5_console_start(f->console, 1, false); /* again: still one line */
    screen *s = look(f);
    assert_int_equal(s->at, 3);
    t5_console_close(f->console);
    s = look(f);
    assert_int_equal(s->at, 0);
    assert_string_equal(s->row[0], "");
    t5_console_close(NULL);
}

/* However many events there are, the screen is redrawn ten times a second at most. */
static void test_redraws(void **state) {
    fixture *f = *state;
    open_console(f, true);
    double start = now();
    t5_console_start(f->console, 0, false);
    t5_progress p = progress(0);
    for (p.step = 0; p.step < 3000; p.step++)
        t5_console_progress(f->console, &p);
    double seconds = now() - start;
    assert_true(look(f)->draws <= seconds / 0.1 + 1);
    t5_console_close(f->console);
}

/* More running trials than the screen has lines (24 where it does not say). */
static void test_many(void **state) {
    enum { MANY = 40 };
    fixture *f = *state;
    static char text[MANY][16];
    const char *many[MANY];
    t5_error err = {0};
    for (int i = 0; i < MANY; i++) {
        snprintf(text[i], sizeof text[i], "t%d", i);
        many[i] = text[i];
    }
    f->out = open_memstream(&f->text, &f->bytes);
    assert_int_equal(t5_console_open(f->out, true, MANY, many, "micro_f1", &f->console, &err),
                     T5_OK);
    for (int i = 0; i < MANY; i++)
        t5_console_start(f->console, i, false);
    screen *s = look(f);
    assert_int_equal(s->at, 23);
    assert_string_equal(s->row[22], "and 18 more");
    for (int i = 0; i < MANY; i++)
        t5_console_end(f->console, MANY - 1 - i, "completed");
    t5_console_close(f->console);
    assert_int_equal(look(f)->at, MANY);
}

/* A name that is wider than the terminal is cut in the live line and whole in the permanent one. */
static void test_long_name(void **state) {
    fixture *f = *state;
    static const char *const name =
        "とても長い名前とても長い名前とても長い名前とても長い名前とても長い名前とても長い名前";
    t5_error err = {0};
    f->out = open_memstream(&f->text, &f->bytes);
    assert_int_equal(t5_console_open(f->out, true, 1, &name, "avg_jaccard", &f->console, &err),
                     T5_OK);
    t5_console_start(f->console, 0, false);
    screen *s = look(f);
    int columns = t5_display_width(s->row[0], strlen(s->row[0]));
    assert_true(columns == 78 || columns == 79);
    t5_console_end(f->console, 0, "completed");
    t5_console_close(f->console);
    assert_int_equal(strncmp(look(f)->row[0], name, strlen(name)), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {TEST(test_lines),       TEST(test_live),    TEST(test_wide),
                                       TEST(test_close_early), TEST(test_redraws), TEST(test_many),
                                       TEST(test_long_name)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
