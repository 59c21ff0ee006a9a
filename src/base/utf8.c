#include "base/utf8.h"

/* Bytes of the character that starts with this byte; 1 for what starts none. */
static size_t character_size(unsigned char lead) {
    if (lead >= 0xf0 && lead < 0xf8)
        return 4;
    if (lead >= 0xe0 && lead < 0xf0)
        return 3;
    if (lead >= 0xc0 && lead < 0xe0)
        return 2;
    return 1;
}

size_t t5_utf8_cut(const char *s, size_t n) {
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        unsigned char c = (unsigned char)s[n - back];
        if ((c & 0xc0) == 0x80)
            continue; /* a continuation byte: its lead is further left */
        return character_size(c) > back ? n - back : n;
    }
    return n;
}
