/* Whether output ends up on a terminal, also with a pseudo terminal in between as under mpirun. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "report/screen.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* The program's side of a new pseudo terminal, with a size or without (0); -1: there are none here.
 */
static int open_terminal(int columns, int rows) {
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    int master = posix_openpt(O_RDWR | O_NOCTTY); /* stays open until the test's end */
    if (master < 0 || grantpt(master) || unlockpt(master))
        return -1;
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    if (slave >= 0 && ioctl(slave, TIOCSWINSZ, &size))
        return -1;
    return slave;
}

/* What a process sees whose standard output is files[0], its parent's files[1], and so on: columns
 * of the terminal, or 99 for none. Runs in a child for every file. */
static int columns_seen(const int *files, int n) {
    pid_t pid = fork();
    if (pid == 0) {
        int columns = 0;
        if (dup2(files[n - 1], STDOUT_FILENO) < 0)
            _exit(98);
        if (n > 1)
            _exit(columns_seen(files, n - 1));
        _exit(t5_screen_find(stdout, &columns, NULL) ? columns : 99);
    }
    int how = 0;
    if (pid < 0 || waitpid(pid, &how, 0) != pid || !WIFEXITED(how))
        return 97;
    return WEXITSTATUS(how);
}

static void test_screens(void **state) {
    (void)state;
    int file = open("/dev/null", O_WRONLY), ends[2];
    int sizeless = open_terminal(0, 0), sized = open_terminal(90, 30);
    assert_true(file >= 0 && pipe(ends) == 0);
    if (sizeless < 0 || sized < 0) {
        print_message("no pseudo terminals here: skipped\n");
        skip();
    }
    const struct {
        int files[4], n, columns;
    } table[] = {
        {{file}, 1, 99},
        {{ends[1]}, 1, 99},
        {{file, sized}, 2, 99},
        {{sizeless, file}, 2, 99},
        {{sizeless, ends[1]}, 2, 99},
        {{sizeless, sizeless, ends[1], sized}, 4, 99},
        {{sized}, 1, 90},
        {{sized, file}, 2, 90},
        {{sizeless, sized}, 2, 90},
        {{sizeless, sizeless, sizeless, sized}, 4, 90},
    };
    fflush(NULL);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_int_equal(columns_seen(table[i].files, table[i].n), table[i].columns);
}

static void test_memory(void **state) {
    (void)state;
    char *text;
    size_t bytes;
    int columns = 7, rows = 7;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    assert_false(t5_screen_find(out, &columns, &rows));
    assert_int_equal(columns, 0);
    assert_int_equal(rows, 0);
    fclose(out);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_screens),
                                       cmocka_unit_test(test_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
