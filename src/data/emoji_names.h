/* What emojis and other symbols are called in Japanese: CLDR's short names. */
#ifndef T5_DATA_EMOJI_NAMES_H
#define T5_DATA_EMOJI_NAMES_H
#include "data/rows.h"

/* The short name of an emoji, NUL-terminated too; n == 0 if CLDR has none. Variation selectors
 * (U+FE0E, U+FE0F) do not count: with, without or in part, it is the same emoji. */
t5_str t5_emoji_name(t5_str emoji);

/* The table: {emoji without variation selectors, name}, ascending by bytes (emoji_names_table.c).
 */
extern const char *const t5_emoji_names[][2];
extern const int t5_emoji_names_size;

#endif
