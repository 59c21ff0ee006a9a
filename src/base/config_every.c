/* How often something is done: "1 epoch", "200 steps", "10 minutes", "never". */
#include "base/config_reader.h"
#include <string.h>

enum { MOST = 1000000 }; /* of any unit: also in seconds it is an int */

/* "N" and a unit; 0: it is not that. */
static int parse_count(const char *text, const char *unit) {
    size_t digits = strspn(text, "0123456789"), n = strlen(unit);
    int count = 0;
    for (size_t i = 0; i < digits && count <= MOST; i++)
        count = count * 10 + (text[i] - '0');
    const char *rest = text + digits;
    if (digits == 0 || rest[0] != ' ' || strncmp(rest + 1, unit, n) != 0)
        return 0;
    rest += 1 + n;
    return count <= MOST && (!*rest || strcmp(rest, "s") == 0) ? count : 0;
}

t5_status t5_config_store_every(t5_config_reader *r, const t5_config_key *key,
                                const config_setting_t *setting, const char *shown,
                                t5_every *every) {
    static const struct {
        const char *unit;
        t5_every_kind kind;
    } units[] = {
        {"epoch", T5_EVERY_EPOCHS}, {"step", T5_EVERY_STEPS}, {"minute", T5_EVERY_MINUTES}};
    const char *text = config_setting_get_string(setting);
    *every = (t5_every){T5_EVERY_NEVER, 0};
    if (text && strcmp(text, "never") == 0)
        return T5_OK;
    for (size_t i = 0; text && i < sizeof units / sizeof *units; i++) {
        int count = parse_count(text, units[i].unit);
        if (count > 0) {
            *every = (t5_every){units[i].kind, count};
            return T5_OK;
        }
    }
    return t5_config_fail_value(r, setting, shown, key->allowed);
}
