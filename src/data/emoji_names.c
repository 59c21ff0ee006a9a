#include "data/emoji_names.h"
#include <string.h>

/* Longer than any emoji of the table. */
enum { LONGEST = 64 };

/* Copies without variation selectors; returns the length, 0 if it does not fit. */
static size_t plain(t5_str emoji, char out[LONGEST]) {
    size_t n = 0;
    for (size_t i = 0; i < emoji.n; i++) {
        if (emoji.n - i >= 3 && memcmp(emoji.s + i, "\xef\xb8", 2) == 0 &&
            ((unsigned char)emoji.s[i + 2] & 0xfe) == 0x8e) {
            i += 2;
            continue;
        }
        if (n == LONGEST - 1 || emoji.s[i] == '\0')
            return 0;
        out[n++] = emoji.s[i];
    }
    out[n] = '\0';
    return n;
}

t5_str t5_emoji_name(t5_str emoji) {
    char key[LONGEST];
    int lo = 0, hi = t5_emoji_names_size;
    if (plain(emoji, key) == 0)
        return (t5_str){"", 0};
    while (lo < hi) {
        int mid = lo + (hi - lo) / 2, c = strcmp(t5_emoji_names[mid][0], key);
        if (c == 0)
            return (t5_str){t5_emoji_names[mid][1], strlen(t5_emoji_names[mid][1])};
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return (t5_str){"", 0};
}
