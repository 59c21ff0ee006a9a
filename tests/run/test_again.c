/* The command line that goes on with a run. */
#include "run/again.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the above first */
#include <cmocka.h>

static void the_line_is_what_was_typed_and_resume(void **state) {
    (void)state;
    const char *sets[] = {"train.epochs=3", "data.input=it's", "output.dir="};
    const struct {
        t5_command command;
        int ranks;
        const char *line;
    } cases[] = {
        {{.config = ""}, 1, "t5mpi '' --resume"},
        {{.config = "a b.cfg"}, 1, "t5mpi 'a b.cfg' --resume"},
        {{.config = "a.cfg", .resume = true}, 4, "mpirun -np 4 t5mpi a.cfg --resume"},
        {{.config = "$(x).cfg", .output = "runs/*", .device = T5_USE_CPU},
         1,
         "t5mpi '$(x).cfg' --output 'runs/*' --device cpu --resume"},
        {{.config = "a.cfg", .sets = sets, .n_sets = 2},
         1,
         "t5mpi a.cfg --set train.epochs=3 --set 'data.input=it'\\''s' --resume"},
        {{.config = "a.cfg", .part = {2, 8}, .device = T5_USE_CUDA},
         1,
         "t5mpi a.cfg --part 2/8 --device cuda --resume"},
    };
    char text[256];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        t5_command_again(&cases[i].command, cases[i].ranks, text, sizeof text);
        assert_string_equal(text, cases[i].line);
    }
    t5_command_again(&cases[2].command, 4, text, 10);
    assert_string_equal(text, "mpirun -n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_line_is_what_was_typed_and_resume),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
