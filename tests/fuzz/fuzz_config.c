/* The configuration: the input is the file. */
#include "base/config.h"
#include "fuzz/fuzz.h"

/* libconfig 1.5 loses the string that it has just read when the grammar wants something else there.
 */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:strbuf_append\nleak:libconfig_yylex\n";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    t5_config *config = NULL;
    t5_error err = {0};
    t5_status status = t5_config_read(fuzz_file(data, size), NULL, 0, NULL, &config, &err);
    fuzz_check_error(status, &err);
    fuzz_check((status == T5_OK) == (config != NULL));
    if (config) {
        fuzz_check(config->n_learning_rate > 0 && config->n_top_n > 0);
        fuzz_check(config->n_loss > 0 && config->n_seed > 0);
        fuzz_check(config->is_plan == (config->n_nodes > 0));
        for (int i = 0; i < config->n_nodes; i++) {
            const t5_plan_node *node = &config->nodes[i];
            fuzz_check(node->name && node->improved >= -1 && node->otherwise >= -1);
            fuzz_check(node->improved < config->n_nodes && node->otherwise < config->n_nodes);
        }
    }
    t5_config_destroy(config);
    return 0;
}
