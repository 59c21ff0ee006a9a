#include "base/text.h"

size_t t5_space_length(const char *s, size_t n) {
    if (n == 0)
        return 0;
    const unsigned char *c = (const unsigned char *)s;
    if (c[0] < 0x80)
        return (c[0] >= 0x09 && c[0] <= 0x0d) || (c[0] >= 0x1c && c[0] <= 0x20) ? 1 : 0;
    if (c[0] == 0xc2)
        return n >= 2 && (c[1] == 0x85 || c[1] == 0xa0) ? 2 : 0;
    if (n < 3 || (c[0] != 0xe1 && c[0] != 0xe2 && c[0] != 0xe3))
        return 0;
    unsigned code = (c[0] & 0x0fu) << 12 | (c[1] & 0x3fu) << 6 | (c[2] & 0x3fu);
    if ((c[1] & 0xc0) != 0x80 || (c[2] & 0xc0) != 0x80)
        return 0;
    bool space = code == 0x1680 || (code >= 0x2000 && code <= 0x200a) || code == 0x2028 ||
                 code == 0x2029 || code == 0x202f || code == 0x205f || code == 0x3000;
    return space ? 3 : 0;
}

bool t5_is_blank(const char *s, size_t n) {
    for (size_t i = 0; i < n;) {
        size_t width = t5_space_length(s + i, n - i);
        if (width == 0)
            return false;
        i += width;
    }
    return true;
}
