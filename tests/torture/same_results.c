/* same_results [--ranks] [--within X] [--weights-within Y] RUN_A RUN_B: are the two output folders
 * the same, bit for bit, but for times? --ranks: the number of ranks and the devices may differ.
 * --within X: values may differ by X of the larger one, answers are not compared. Prints the first
 * difference of every item. Status 0: the same, 1: not, 2: something cannot be read. */
#include "compare.h"
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
    compare_rules rules = {.out = stdout};
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--ranks") == 0)
            rules.other_ranks = true;
        else if (strcmp(argv[i], "--within") == 0 && i + 1 < argc)
            rules.within = strtod(argv[++i], NULL);
        else if (strcmp(argv[i], "--weights-within") == 0 && i + 1 < argc)
            rules.weights_within = strtod(argv[++i], NULL);
        else
            break;
    }
    if (argc - i != 2) {
        fputs("usage: same_results [--ranks] [--within X] [--weights-within Y] RUN_A RUN_B\n",
              stderr);
        return COMPARE_UNREADABLE;
    }
    return compare_runs(argv[i], argv[i + 1], &rules);
}
