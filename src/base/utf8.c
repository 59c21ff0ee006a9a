#include "base/utf8.h"
#include <stdint.h>

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

bool t5_utf8_valid(const char *s, size_t n) {
    /* Least code point of a character of 2, 3, 4 bytes: shorter ones must not be written longer. */
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    for (size_t i = 0; i < n;) {
        unsigned char lead = (unsigned char)s[i];
        size_t size = character_size(lead);
        if ((size == 1 && lead >= 0x80) || size > n - i)
            return false;
        uint32_t code = size == 1 ? lead : lead & (0x7fu >> size);
        for (size_t k = 1; k < size; k++) {
            unsigned char c = (unsigned char)s[i + k];
            if ((c & 0xc0) != 0x80)
                return false;
            code = code << 6 | (c & 0x3f);
        }
        if (code < least[size] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
            return false;
        i += size;
    }
    return true;
}
