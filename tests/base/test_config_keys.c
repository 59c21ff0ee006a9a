/* docs/config.md against the table of keys, and the table against itself. */
#include "base/config.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* needs those above */

enum { ROW = 1024 };

/* Appends to a row of at most ROW bytes; Markdown wants a bar inside a table escaped. */
static void put(char row[ROW], const char *text) {
    size_t n = strlen(row);
    for (; *text; text++) {
        assert_true(n + 3 < ROW);
        if (*text == '|')
            row[n++] = '\\';
        row[n++] = *text;
    }
    row[n] = '\0';
}
static void put_cell(char row[ROW], const char *text, bool code) {
    strcat(row, " ");
    strcat(row, code ? "`" : "");
    put(row, text);
    strcat(row, code ? "` |" : " |");
}

/* The line that the page has to have for a key. Remarks lose their parentheses. */
static void page_row(const t5_config_key *key, char row[ROW]) {
    char fallback[200];
    bool remark = key->fallback[0] == '(';
    snprintf(fallback, sizeof fallback, "%s", key->fallback + remark);
    if (remark)
        fallback[strlen(fallback) - 1] = '\0';
    strcpy(row, "|");
    put_cell(row, key->path, true);
    put_cell(row, key->type, false);
    put_cell(row, fallback, !remark);
    put_cell(row, key->allowed,
             strchr("[(\"", key->allowed[0]) != NULL || strcmp(key->allowed, "true | false") == 0);
    put_cell(row, key->meaning, false);
}

static char *read_page(void) {
    FILE *file = fopen(T5MPI_SOURCE_DIR "/docs/config.md", "rb");
    assert_non_null(file);
    const size_t capacity = 1 << 20;
    char *text = malloc(capacity);
    assert_non_null(text);
    size_t n = fread(text, 1, capacity - 1, file);
    assert_true(n > 0 && n < capacity - 1);
    fclose(file);
    text[n] = '\0';
    return text;
}

/* The page has a row for every key with exactly what the table says, and no row for anything else.
 */
static void the_page_lists_exactly_the_keys(void **state) {
    (void)state;
    const t5_config_key *keys;
    const int n = t5_config_keys(&keys);
    char *text = read_page(), *rest;
    int *found = calloc((size_t)n, sizeof *found);
    assert_non_null(found);
    int wrong = 0;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(line, "| `", 3) != 0)
            continue;
        int at = 0;
        char row[ROW];
        for (; at < n; at++) {
            page_row(&keys[at], row);
            if (strcmp(row, line) == 0)
                break;
        }
        if (at == n) {
            print_error("docs/config.md has a row that no key has:\n%s\n", line);
            wrong++;
        } else {
            found[at]++;
        }
    }
    for (int i = 0; i < n; i++) {
        char row[ROW];
        page_row(&keys[i], row);
        if (found[i] != 1) {
            print_error("docs/config.md needs this row once, it is there %d times:\n%s\n", found[i],
                        row);
            wrong++;
        }
    }
    free(found);
    free(text);
    assert_int_equal(wrong, 0);
}

static void paths_are_unique_and_texts_are_there(void **state) {
    (void)state;
    const t5_config_key *keys;
    const int n = t5_config_keys(&keys);
    assert_true(n > 60);
    for (int i = 0; i < n; i++) {
        assert_true(keys[i].path[0] && keys[i].type[0] && keys[i].fallback[0]);
        assert_true(keys[i].allowed[0] && keys[i].meaning[0]);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(keys[i].path, keys[j].path);
    }
}

/* An interval is read by sscanf where values are checked; one that is mistyped would allow all. */
static void intervals_can_be_read(void **state) {
    (void)state;
    const t5_config_key *keys;
    const int n = t5_config_keys(&keys);
    int intervals = 0;
    for (int i = 0; i < n; i++) {
        const char *allowed = keys[i].allowed;
        char open, close, end;
        double low, high;
        if (allowed[0] != '[' && allowed[0] != '(')
            continue;
        assert_int_equal(sscanf(allowed, "%c%lf, %lf%c%c", &open, &low, &high, &close, &end), 4);
        assert_true(low < high && (close == ']' || close == ')'));
        /* an int is stored without another check */
        if (strcmp(keys[i].type, "integer") == 0 && !strstr(keys[i].path, "seed"))
            assert_true(open == '[' && close == ']' && low >= INT32_MIN && high <= INT32_MAX);
        intervals++;
    }
    assert_true(intervals > 40);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_lists_exactly_the_keys),
        cmocka_unit_test(paths_are_unique_and_texts_are_there),
        cmocka_unit_test(intervals_can_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
