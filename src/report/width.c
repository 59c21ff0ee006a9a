#include "report/width.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct range {
    uint32_t first, last;
} range;

static const range wide[] = {
    {0x1100, 0x115F},   {0x231A, 0x231B},   {0x2329, 0x232A},   {0x23E9, 0x23EC},
    {0x23F0, 0x23F0},   {0x23F3, 0x23F3},   {0x25FD, 0x25FE},   {0x2614, 0x2615},
    {0x2648, 0x2653},   {0x267F, 0x267F},   {0x2693, 0x2693},   {0x26A1, 0x26A1},
    {0x26AA, 0x26AB},   {0x26BD, 0x26BE},   {0x26C4, 0x26C5},   {0x26CE, 0x26CE},
    {0x26D4, 0x26D4},   {0x26EA, 0x26EA},   {0x26F2, 0x26F3},   {0x26F5, 0x26F5},
    {0x26FA, 0x26FA},   {0x26FD, 0x26FD},   {0x2705, 0x2705},   {0x270A, 0x270B},
    {0x2728, 0x2728},   {0x274C, 0x274C},   {0x274E, 0x274E},   {0x2753, 0x2755},
    {0x2757, 0x2757},   {0x2795, 0x2797},   {0x27B0, 0x27B0},   {0x27BF, 0x27BF},
    {0x2B1B, 0x2B1C},   {0x2B50, 0x2B50},   {0x2B55, 0x2B55},   {0x2E80, 0x303E},
    {0x3041, 0x3247},   {0x3250, 0x4DBF},   {0x4E00, 0xA4CF},   {0xA960, 0xA97C},
    {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},   {0xFE10, 0xFE19},   {0xFE30, 0xFE6B},
    {0xFF01, 0xFF60},   {0xFFE0, 0xFFE6},   {0x16FE0, 0x1B2FB}, {0x1F004, 0x1F004},
    {0x1F0CF, 0x1F0CF}, {0x1F18E, 0x1F18E}, {0x1F191, 0x1F19A}, {0x1F200, 0x1F320},
    {0x1F32D, 0x1F335}, {0x1F337, 0x1F37C}, {0x1F37E, 0x1F393}, {0x1F3A0, 0x1F3CA},
    {0x1F3CF, 0x1F3D3}, {0x1F3E0, 0x1F3F0}, {0x1F3F4, 0x1F3F4}, {0x1F3F8, 0x1F43E},
    {0x1F440, 0x1F440}, {0x1F442, 0x1F4FC}, {0x1F4FF, 0x1F53D}, {0x1F54B, 0x1F54E},
    {0x1F550, 0x1F567}, {0x1F57A, 0x1F57A}, {0x1F595, 0x1F596}, {0x1F5A4, 0x1F5A4},
    {0x1F5FB, 0x1F64F}, {0x1F680, 0x1F6C5}, {0x1F6CC, 0x1F6CC}, {0x1F6D0, 0x1F6D2},
    {0x1F6D5, 0x1F6DF}, {0x1F6EB, 0x1F6EC}, {0x1F6F4, 0x1F6FC}, {0x1F7E0, 0x1F7F0},
    {0x1F90C, 0x1F93A}, {0x1F93C, 0x1F945}, {0x1F947, 0x1F9FF}, {0x1FA70, 0x1FAFF},
    {0x20000, 0x3FFFD}};

/* Marks that stand on what is before them; variation selector 16 is treated on its own. */
static const range none[] = {
    {0x0000, 0x001F},   {0x007F, 0x009F},  {0x0300, 0x036F}, {0x0483, 0x0489}, {0x1AB0, 0x1AFF},
    {0x1DC0, 0x1DFF},   {0x200B, 0x200F},  {0x202A, 0x202E}, {0x2060, 0x2064}, {0x20D0, 0x20FF},
    {0x302A, 0x302D},   {0x3099, 0x309A},  {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0xFEFF, 0xFEFF},
    {0x1F3FB, 0x1F3FF}, {0xE0000, 0xE01EF}};

enum { JOINER = 0x200D, EMOJI_SELECTOR = 0xFE0F };

static bool is_in(const range *ranges, size_t n, uint32_t c) {
    size_t low = 0, high = n; /* the first range that ends at c or later */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (ranges[middle].last < c)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && ranges[low].first <= c;
}

static bool is_wide(uint32_t c) {
    return is_in(wide, sizeof wide / sizeof *wide, c);
}
static bool takes_none(uint32_t c) {
    return is_in(none, sizeof none / sizeof *none, c);
}

/* The character that s begins with, and its bytes. A byte that begins none counts as itself. */
static uint32_t decode(const char *s, size_t n, size_t *bytes) {
    unsigned char first = (unsigned char)s[0];
    size_t more = first >= 0xF8 ? 0 : first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : first >= 0xC0 ? 1 : 0;
    uint32_t c = first & (0x3Fu >> more);
    for (size_t i = 1; i <= more; i++) {
        if (i >= n || ((unsigned char)s[i] & 0xC0) != 0x80)
            more = 0;
        else
            c = c << 6 | ((unsigned char)s[i] & 0x3Fu);
    }
    *bytes = more + 1;
    if (more)
        return c;
    return first < 0x80 ? first : '?';
}

/* What a text has taken so far. */
typedef struct pen {
    int columns;
    int last;    /* columns of the last visible character */
    bool joined; /* the next one melts into it */
} pen;

static void draw(pen *p, uint32_t c) {
    int columns = 0;
    if (c == JOINER) {
        p->joined = true;
        return;
    }
    if (c == EMOJI_SELECTOR) {
        columns = p->last == 1; /* a sign that is narrow as text is wide as an emoji */
        p->last += columns;
    } else if (!takes_none(c) && !p->joined) {
        columns = p->last = is_wide(c) ? 2 : 1;
    }
    p->joined = false;
    p->columns += columns;
}

int t5_display_width(const char *s, size_t n) {
    pen p = {0};
    for (size_t i = 0, bytes; i < n; i += bytes)
        draw(&p, decode(s + i, n - i, &bytes));
    return p.columns;
}

size_t t5_display_cut(const char *s, size_t n, int columns) {
    pen p = {0};
    size_t i = 0;
    for (size_t bytes; i < n; i += bytes) {
        draw(&p, decode(s + i, n - i, &bytes));
        if (p.columns > columns)
            break;
    }
    return i;
}
